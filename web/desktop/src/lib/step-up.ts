// Dangerous changes want a fresh proof of who one is: the API answers 403 `step_up_required`, the page
// asks, and the same request goes out once more.

/** Asks the person; whether they proved it. */
type Asker = () => Promise<boolean>;

let asker: Asker | null = null;
// Several requests that wait for the same proof ask once.
let asking: Promise<boolean> | null = null;

/** Who asks: the dialog of the page. Without one the refusal is shown as it came. */
export function stepUpBy(ask: Asker): () => void {
  asker = ask;
  return () => {
    if (asker === ask) asker = null;
  };
}

async function wantsProof(response: Response): Promise<boolean> {
  try {
    return ((await response.clone().json()) as { code?: string }).code === "step_up_required";
  } catch {
    return false;
  }
}

/** `fetch` for the API's client. */
export async function fetchProven(request: Request): Promise<Response> {
  const again = request.clone();
  const response = await fetch(request);
  if (response.status !== 403 || !asker || !(await wantsProof(response))) return response;
  asking ??= asker().finally(() => {
    asking = null;
  });
  return (await asking) ? fetch(again) : response;
}
