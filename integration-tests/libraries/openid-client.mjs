// One sign-in through `openid-client`, a relying-party library that is not ours: it verifies all it is told.
//
// First argument: the folder whose node_modules holds the library. Second: what to do, as JSON. The URL for the browser is
// printed, the one it came back with is read from standard input, and what came of it is printed as JSON.

import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, text] = process.argv.slice(2);
const wanted = JSON.parse(text);
const library = await import(pathToFileURL(join(folder, 'node_modules/openid-client/build/index.js')));

const key = wanted.private_jwk && {
  key: await crypto.subtle.importKey('jwk', wanted.private_jwk, 'Ed25519', false, ['sign']),
  kid: wanted.private_jwk.kid,
};
const withSecret = wanted.secret_jwt ? library.ClientSecretJwt : library.ClientSecretBasic;
const authentication = key
  ? library.PrivateKeyJwt(key, { [library.modifyAssertion]: (_, claims) => { claims.aud = wanted.issuer; } })
  : withSecret(wanted.client_secret);
const metadata = {
  id_token_signed_response_alg: wanted.algorithm,
  authorization_signed_response_alg: wanted.algorithm,
};
const options = { execute: [library.allowInsecureRequests] };
const config = await library.discovery(new URL(wanted.issuer), wanted.client_id, metadata, authentication, options);
if (wanted.jarm) library.useJwtResponseMode(config);
const DPoP = wanted.dpop && library.getDPoPHandle(config, await library.randomDPoPKeyPair('ES256'));

const pkceCodeVerifier = library.randomPKCECodeVerifier();
const [expectedState, expectedNonce] = [library.randomState(), library.randomNonce()];
const parameters = {
  response_type: 'code',
  redirect_uri: wanted.redirect_uri,
  scope: wanted.scope ?? 'openid email',
  state: expectedState,
  nonce: expectedNonce,
  code_challenge: await library.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
};
// A token for a service elsewhere is asked for last; userinfo takes those for the issuer.
if (wanted.resource) parameters.resource = wanted.resource;
const here = wanted.resource && { resource: wanted.issuer };
let url = wanted.jar
  ? await library.buildAuthorizationUrlWithJAR(config, parameters, key)
  : library.buildAuthorizationUrl(config, parameters);
if (wanted.par) {
  const pushed = wanted.jar ? Object.fromEntries(url.searchParams) : parameters;
  url = await library.buildAuthorizationUrlWithPAR(config, pushed, { DPoP });
}
console.log(url.href);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const callback = new URL((await lines.next()).value);
const checks = { pkceCodeVerifier, expectedState, expectedNonce };
const tokens = await library.authorizationCodeGrant(config, callback, checks, here, { DPoP });
const person = await library.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP });
const resource = new URL('/demo/resource', wanted.issuer);
const answer = await library.fetchProtectedResource(
  config, tokens.access_token, resource, 'GET', undefined, undefined, { DPoP });
const refreshed = await library.refreshTokenGrant(config, tokens.refresh_token, here, { DPoP });
const again = await library.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub, { DPoP });
const end = { id_token_hint: tokens.id_token, post_logout_redirect_uri: wanted.post_logout_redirect_uri };
const elsewhere = wanted.resource
  && await library.refreshTokenGrant(config, tokens.refresh_token, { resource: wanted.resource });
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
console.log(JSON.stringify({
  subject: tokens.claims().sub,
  audience: elsewhere && claimsOf(elsewhere.access_token).aud,
  token_type: tokens.token_type,
  email: person.email,
  again: again.email,
  resource: answer.status,
  end_session: library.buildEndSessionUrl(config, end).href,
}));
process.exit(0);
