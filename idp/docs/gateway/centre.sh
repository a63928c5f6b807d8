#!/usr/bin/env bash
# A call of the operator's API with curl: a short token for the vendor's client and the centre's key, then the call.
#
#   ISSUER=https://… GATEWAY=https://… CLIENT_ID=… CLIENT_SECRET=… API_KEY=hab_… centre.sh /v2/dossiers
#
# Secrets go to curl on its standard input, not on its command line, where everybody on the machine could read them.
set -euo pipefail
path=${1:?the path to call}
: "${ISSUER:?}" "${GATEWAY:?}" "${CLIENT_ID:?}" "${CLIENT_SECRET:?}" "${API_KEY:?}"

# 1. The key for a token of at most ten minutes, bound to vendor and centre (RFC 6749 §4.4 with the parameter api_key).
answer=$(curl --silent --show-error --fail-with-body --max-time 5 --config - "$ISSUER/token" << CONFIG
user = "$CLIENT_ID:$CLIENT_SECRET"
data-urlencode = "grant_type=client_credentials"
data-urlencode = "api_key=$API_KEY"
data-urlencode = "scope=apicfa.dossiers.read"
CONFIG
) || { printf 'no token: %s\n' "$answer" >&2; exit 1; }
token=$(sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p' <<< "$answer")

# 2. The call. The token stands for the key; `X-API-KEY` beside a token without one does as well.
exec curl --silent --show-error --fail-with-body --max-time 10 --config - "$GATEWAY$path" << CONFIG
header = "Authorization: Bearer $token"
header = "EDITEUR: Exemple"
header = "LOGICIEL: centre.sh"
header = "VERSION: 1.0"
CONFIG
