// The one client of the API in this page.

import { connect } from "@crosspoint/api";
import { fetchProven } from "./step-up";

export { all, answer, ApiError, type Schemas } from "@crosspoint/api";

export const api = connect({ fetch: fetchProven });
