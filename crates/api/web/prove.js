// What a customer's browser does beside a call: opens the channel by the link, repeats the number
// of the call, and proves who is calling. The secret stands behind # and never reaches a server log.

const at = (id) => document.getElementById(id);
const say = (text) => { at('say').textContent = text; };

const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const decode = (text) => Uint8Array.from(
  atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

async function post(path, body) {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status === 204) return null;
  const value = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(value.detail), { status: answer.status });
  return value;
}

let channel;

async function prove(proof) {
  say('One moment …');
  try {
    const state = await post('/v1/data-sessions/auth', {
      session: channel.session, number: at('number').value, proof: await proof(),
    });
    channel = { ...channel, ...state };
    at('call').hidden = state.level >= 3;
    say(`Thank you. Your call is confirmed (level ${state.level}).`);
  } catch (error) {
    say(error.status === 429
      ? 'Too many tries. Please wait, or ask the person on the telephone.'
      : 'That did not work. Check the number you were told, and try again.');
    await post('/v1/data-sessions/state', { session: channel.session })
      .then((state) => { channel = { ...channel, ...state }; })
      .catch(() => { at('call').hidden = true; say('This page can no longer be used. Ask for a new link.'); });
  }
}

async function passkey() {
  const got = await navigator.credentials.get({
    publicKey: {
      challenge: decode(channel.passkey_challenge), rpId: channel.rp_id, userVerification: 'required',
    },
  });
  return {
    method: 'passkey',
    id: encode(got.rawId),
    client_data_json: encode(got.response.clientDataJSON),
    authenticator_data: encode(got.response.authenticatorData),
    signature: encode(got.response.signature),
  };
}

async function call(link) {
  try {
    channel = await post('/v1/data-sessions', { link });
  } catch {
    say('This link was used before, or is too old. Ask for a new one.');
    return;
  }
  say('Enter the number you are told on the telephone.');
  at('call').hidden = false;
  at('number').focus();
  at('call').addEventListener('submit', (event) => {
    event.preventDefault();
    prove(async () => ({ method: 'link' }));
  });
  at('passkey').addEventListener('click', () => prove(passkey));
}

async function enrol(link) {
  let options;
  try {
    options = await post('/v1/data-sessions/enrol-options', { link });
  } catch {
    say('This link was used before, or is too old. Ask for a new one.');
    return;
  }
  say(`Make a passkey for ${options.user_name} on this device.`);
  at('enrol').hidden = false;
  at('enrol').addEventListener('click', async () => {
    try {
      const made = await navigator.credentials.create({
        publicKey: {
          challenge: decode(options.challenge),
          rp: { id: options.rp_id, name: document.location.hostname },
          user: {
            id: new TextEncoder().encode(options.user_id),
            name: options.user_name, displayName: options.user_name,
          },
          pubKeyCredParams: options.algorithms.map((alg) => ({ type: 'public-key', alg })),
          authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
          attestation: 'none',
        },
      });
      await post('/v1/data-sessions/enrol', {
        link,
        label: 'Passkey',
        client_data_json: encode(made.response.clientDataJSON),
        attestation_object: encode(made.response.attestationObject),
      });
      at('enrol').hidden = true;
      say('Done. From now on this device can confirm your calls.');
    } catch {
      say('No passkey was made. Ask for a new link to try again.');
    }
  });
}

async function notice(token) {
  const verdict = await post('/v1/precall-notices/verify', { notice: token });
  say(verdict.valid
    ? `${verdict.claims.iss} is calling you from ${verdict.claims.from}${verdict.claims.reason ? `: ${verdict.claims.reason}` : ''}.`
    : 'This notice is not ours, or is over. Do not trust the call.');
}

const secret = document.location.hash.slice(1);
const [kind, rest] = secret.includes('=') ? [secret.slice(0, secret.indexOf('=')), secret.slice(secret.indexOf('=') + 1)] : ['', secret];
history.replaceState(null, '', document.location.pathname);
if (kind === 'enrol') enrol(rest);
else if (kind === 'notice') notice(rest);
else if (rest) call(rest);
else say('This page is opened by a link that is sent to you.');
