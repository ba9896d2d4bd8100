// Arabic, by the part of the page that speaks.

import type { Catalogue } from "../../lib/i18n";
import { admin } from "./admin";
import { agent } from "./agent";
import { common } from "./common";
import { history } from "./history";
import { supervisor } from "./supervisor";

const ar: Catalogue = { ...admin, ...agent, ...supervisor, ...history, ...common };

export default ar;
