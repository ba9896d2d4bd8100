// A certified OpenID Connect provider on loopback, for signing in elsewhere. Everybody signs in with
// any password; who they are is told when it starts and can be changed while it runs.

import type { IncomingMessage, Server as HttpServer } from "node:http";
import { text } from "node:stream/consumers";
// @ts-expect-error The package has no types of its own.
import { Provider } from "oidc-provider";
import { freePort } from "./ports.js";

/** What the provider says of somebody. */
export interface Claims {
  email: string;
  email_verified: boolean;
  name: string;
  groups: string[];
}

export const CLIENT = { id: "crosspoint", secret: "interop-client-secret" };

/** Gives a scope to whoever signs in without asking: this is one company's own program. */
interface Context {
  oidc: {
    client: { clientId: string };
    session: { accountId: string };
    provider: { Grant: new (of: { clientId: string; accountId: string }) => { addOIDCScope(scope: string): void; save(): Promise<string> } };
  };
}

interface Passing {
  path: string;
  req: IncomingMessage;
  status: number;
}

const TELLS = "/tells-logout";

export class IdentityProvider {
  private constructor(
    readonly issuer: string,
    readonly people: Record<string, Claims>,
    /** Logout tokens that were sent to us. */
    readonly logouts: string[],
    private readonly http: HttpServer,
  ) {}

  /** `logout`: where it tells that somebody signed out, when that is wanted. */
  static async start(redirectUri: string, people: Record<string, Claims>, options: { port?: number; logout?: string } = {}): Promise<IdentityProvider> {
    const port = options.port ?? (await freePort());
    const logouts: string[] = [];
    const backchannel = options.logout ? { backchannel_logout_uri: `http://127.0.0.1:${port}${TELLS}`, backchannel_logout_session_required: true } : {};
    const issuer = `http://127.0.0.1:${port}`;
    const provider = new Provider(issuer, {
      clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri], grant_types: ["authorization_code"], response_types: ["code"], ...backchannel }],
      pkce: { required: () => true },
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
      features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
      findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
      async loadExistingGrant({ oidc }: Context) {
        const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope("openid email profile groups");
        await grant.save();
        return grant;
      },
    });
    // Logout tokens pass here on their way, so that a test can send one again.
    provider.use(async (context: Passing, next: () => Promise<void>) => {
      if (!options.logout || context.path !== TELLS) return next();
      const token = new URLSearchParams(await text(context.req)).get("logout_token") ?? "";
      logouts.push(token);
      context.status = (await fetch(options.logout, { method: "POST", body: new URLSearchParams({ logout_token: token }) })).status;
    });
    const http = await new Promise<HttpServer>((ready) => {
      const server: HttpServer = provider.listen(port, "127.0.0.1", () => ready(server));
    });
    return new IdentityProvider(issuer, people, logouts, http);
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }
}
