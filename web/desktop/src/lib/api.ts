// The one client of the API in this page.

import { connect } from "@crosspoint/api";

export { all, answer, ApiError, type Schemas } from "@crosspoint/api";

export const api = connect();
