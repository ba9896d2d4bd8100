"""Signs in at a real OpenID Connect provider (npm oidc-provider) with the real program.

    npm --prefix interop/oidc ci && python3 interop/oidc/try.py target/debug/crosspoint
"""
import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(sys.argv[1])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_a, **_k):
        return None


def reach(url):
    for _ in range(150):
        try:
            return urllib.request.urlopen(url).read()
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} is not reached")


def main():
    web, sip, idp = free_port(), free_port(), free_port()
    base, issuer = f"http://127.0.0.1:{web}", f"http://127.0.0.1:{idp}"
    folder = tempfile.mkdtemp()
    env = dict(
        os.environ,
        CROSSPOINT_HTTP_LISTEN=f"127.0.0.1:{web}",
        CROSSPOINT_SIP_UDP=f"127.0.0.1:{sip}",
        CROSSPOINT_SIP_TCP="",
        CROSSPOINT_DATA=folder + "/data",
        CROSSPOINT_MEDIA_ADDRESS="127.0.0.1",
        CROSSPOINT_WEBRTC_PORT="off",
        CROSSPOINT_SPEECH_COMMAND="",
        CROSSPOINT_FETCH_ALLOW="127.0.0.1",
    )
    log = open(folder + "/log", "w")
    server = subprocess.Popen([BINARY, "serve"], env=env, cwd=folder, stderr=log, stdout=log)
    provider = subprocess.Popen(
        ["node", HERE + "/provider.mjs", str(idp), base + "/v1/oidc/callback"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        reach(base + "/v1/setup")
        reach(issuer + "/jwks")
        check(base, issuer, open(folder + "/log").read())
    finally:
        for process in (server, provider):
            process.terminate()
            process.wait(30)


def call(base, path, body, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = "Bearer " + token
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
    return json.loads(urllib.request.urlopen(request).read())


def check(base, issuer, log):
    token = re.search(r"token: ([0-9a-f]+)", log).group(1)
    person = {"login": "admin@interop.test", "name": "Admin", "password": "a long enough password"}
    first = call(base, "/v1/setup", {"token": token, "tenant": "House", "kind": "token", "person": person})
    rules = [{"value": "leads", "roles": ["supervisor"]}, {"value": "callcentre", "roles": ["agent"]}]
    made = call(base, "/v1/identity-providers", {
        "name": "Company", "issuer": issuer, "client_id": "crosspoint", "client_secret": "interop-client-secret",
        "scopes": ["email", "profile", "groups"], "roles_claim": "groups", "role_rules": rules,
        "provision": True, "link_by_login": True,
    }, first["token"])
    start = f"{base}/v1/oidc/{made['id']}/start?return=/desk"
    expected = {
        "ann": ("/desk", ["supervisor"]),
        "bob": ("/desk", ["agent"]),
        # No role by any claim; and an unverified address of somebody who is here already.
        "eve": ("/?sign_in_error=oidc_no_role", None),
        "admin": ("/?sign_in_error=oidc_name_taken", None),
    }
    for who, want in expected.items():
        got = sign_in(base, start, who)
        assert got == want, (who, got, want)
        print(who, *got)


def sign_in(base, url, who):
    """Where the browser ends and the roles of its session; a replayed answer must be refused."""
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(cookies, NoRedirect)

    def go(to, data=None):
        try:
            return browser.open(urllib.request.Request(to, data))
        except urllib.error.HTTPError as answer:
            return answer

    data = None
    for _ in range(12):
        answer = go(url, data)
        data = None
        if answer.status in (302, 303):
            to = urllib.parse.urljoin(url, answer.headers["location"])
            if url.startswith(base + "/v1/oidc/callback"):
                session = go(base + "/v1/sessions/current")
                roles = json.loads(session.read())["roles"] if session.status == 200 else None
                assert go(url).headers["location"] == "/?sign_in_error=oidc_state", "replayed"
                return to.replace(base, ""), roles
            url = to
            continue
        page = answer.read().decode()
        url = urllib.parse.urljoin(url, re.search(r'action="([^"]+)"', page).group(1))
        prompt = re.search(r'name="prompt" value="(\w+)"', page).group(1)
        data = urllib.parse.urlencode({"prompt": prompt, "login": who, "password": "x"}).encode()
    sys.exit("too many steps")


if __name__ == "__main__":
    main()
