// A certified OpenID Connect provider on loopback, for the test of signing in.
// Arguments: port, redirect URI. Everybody signs in with any password; who they are is below.
import { Provider } from "oidc-provider";

const [port, redirectUri] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const people = {
  ann: { email: "ann@interop.test", email_verified: true, name: "Ann Example", groups: ["leads"] },
  bob: { email: "bob@interop.test", email_verified: true, name: "Bob Example", groups: ["callcentre"] },
  eve: { email: "eve@interop.test", email_verified: false, name: "Eve Example", groups: [] },
  admin: { email: "admin@interop.test", email_verified: false, name: "Not the admin", groups: ["leads"] },
};

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "crosspoint",
      client_secret: "interop-client-secret",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  features: { devInteractions: { enabled: true } },
  async findAccount(_, sub) {
    return { accountId: sub, claims: async () => ({ sub, ...people[sub] }) };
  },
  // Nobody is asked for consent: this is one company's own program.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope("openid email profile groups");
    await grant.save();
    return grant;
  },
});

provider.listen(Number(port), "127.0.0.1", () => console.log(`ready ${issuer}`));
