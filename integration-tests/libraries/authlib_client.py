"""One sign-in through Authlib, a relying-party library that is not ours, with joserfc verifying what was signed.

First argument: what to do, as JSON. The URL for the browser is printed, the one it came back with is read from standard input,
and what came of it is printed as JSON.
"""

import json
import secrets
import sys
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.auth import TokenAuth
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

wanted = json.loads(sys.argv[1])
issuer = wanted["issuer"]


def prove(request):
    """Adds a proof of possession where one is wanted; the library itself has no word for DPoP (RFC 9449)."""
    claims = {
        "jti": secrets.token_urlsafe(16),
        "htm": request.method,
        "htu": str(request.url),
        "iat": int(time.time()),
    }
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        request.headers["Authorization"] = f"DPoP {token}"
        claims["ath"] = create_s256_code_challenge(token)
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    request.headers["DPoP"] = jwt.encode(header, claims, key)


client = OAuth2Client(
    wanted["client_id"],
    OKPKey.import_key(wanted["private_jwk"]) if wanted["private_jwk"] else wanted["client_secret"],
    token_endpoint_auth_method="private_key_jwt" if wanted["private_jwk"] else wanted.get("method", "client_secret_basic"),
    scope="openid email",
    redirect_uri=wanted["redirect_uri"],
    code_challenge_method="S256",
    trust_env=False,
)
if wanted.get("dpop"):
    key = ECKey.generate_key("P-256")
    client.event_hooks = {"request": [prove]}
    TokenAuth.SIGN_METHODS["dpop"] = TokenAuth.SIGN_METHODS["bearer"]
metadata = client.request("GET", f"{issuer}/.well-known/openid-configuration", withhold_token=True).json()
keys = KeySet.import_key_set(client.request("GET", metadata["jwks_uri"], withhold_token=True).json())
if wanted["private_jwk"]:
    method = PrivateKeyJWT(token_endpoint=metadata["token_endpoint"], alg="EdDSA")
    client.register_client_auth_method(method)
if wanted.get("method") == "client_secret_jwt":
    client.register_client_auth_method(ClientSecretJWT(token_endpoint=metadata["token_endpoint"]))

verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
if wanted.get("par"):
    # The library has no word for PAR either: its parameters are pushed as they are (RFC 9126).
    parameters = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    pushed = client.request(
        "POST",
        metadata["pushed_authorization_request_endpoint"],
        data=parameters,
        auth=client.client_auth(client.token_endpoint_auth_method),
        withhold_token=True,
    )
    assert pushed.status_code == 201, pushed.text
    reference = {"client_id": wanted["client_id"], "request_uri": pushed.json()["request_uri"]}
    url = f"{metadata['authorization_endpoint']}?{urlencode(reference)}"
print(url, flush=True)

callback = sys.stdin.readline().strip()
tokens = client.fetch_token(
    metadata["token_endpoint"], authorization_response=callback, code_verifier=verifier, state=state
)
signed = jwt.decode(tokens["id_token"], keys, algorithms=["RS256", "ES256", "EdDSA"])
jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": issuer},
    aud={"essential": True, "value": wanted["client_id"]},
    nonce={"essential": True, "value": nonce},
    exp={"essential": True},
).validate(signed.claims)
person = client.get(metadata["userinfo_endpoint"]).json()
assert person["sub"] == signed.claims["sub"], person
resource = client.get(f"{issuer}/demo/resource").status_code
client.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
again = client.get(metadata["userinfo_endpoint"]).json()
end = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": wanted["post_logout_redirect_uri"]}
result = {
    "subject": signed.claims["sub"],
    "token_type": tokens["token_type"].lower(),
    "email": person["email"],
    "again": again["email"],
    "resource": resource,
    "end_session": f"{metadata['end_session_endpoint']}?{urlencode(end)}",
}
print(json.dumps(result), flush=True)
