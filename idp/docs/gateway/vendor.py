"""The software of a vendor that calls the operator's API for a centre, with Authlib.

    ISSUER=https://… GATEWAY=https://… CLIENT_ID=… CLIENT_SECRET=… API_KEY=hab_… python vendor.py /v2/dossiers

The vendor's token is fetched once and kept until it expires; the centre's key goes with each call in X-API-KEY. With an exchanged
token (RFC 8693) the key leaves the vendor's machine once in ten minutes only: both ways are shown.
"""

import os
import sys

from authlib.integrations.httpx_client import OAuth2Client

issuer, gateway = os.environ["ISSUER"], os.environ["GATEWAY"]
software = {"EDITEUR": "Exemple", "LOGICIEL": "vendor.py", "VERSION": "1.0"}


def client(scope):
    return OAuth2Client(
        os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], scope=scope, token_endpoint=f"{issuer}/token", trust_env=False
    )


# 1. The form of the market: vendor's token and centre's key at each call.
vendor = client("apicfa.dossiers.read")
vendor.fetch_token(grant_type="client_credentials")
answer = vendor.get(f"{gateway}{sys.argv[1]}", headers={"X-API-KEY": os.environ["API_KEY"], **software})
answer.raise_for_status()
print(answer.text)

# 2. The key exchanged for a token bound to this vendor and this centre.
bound = client("apicfa.dossiers.read")
bound.fetch_token(
    grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token=os.environ["API_KEY"],
    subject_token_type="urn:habilis:params:oauth:token-type:api_key",
)
answer = bound.get(f"{gateway}{sys.argv[1]}", headers=software)
answer.raise_for_status()
print(answer.text)
