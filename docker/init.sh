#!/bin/sh
# Makes what a site needs once: each role's CURVE keys and one API key. What is there stays, so it runs at each start.
set -eu
factory keygen --site /site >/dev/null
if [ ! -s /site/api/keys ]; then
  made=$(factory keygen --tenant "${TOKENFACTORY_TENANT:-default}")
  umask 077
  printf '%s\n' "$made" | awk '$1 == "api-key" {print $2}' > /site/client/api-key
  printf '%s scopes=infer,report,admin\n' "$(printf '%s\n' "$made" | sed -n 's/^keys-line *//p')" > /site/api/keys.new
  chmod 644 /site/api/keys.new
  mv /site/api/keys.new /site/api/keys
fi
echo "The site's API key: docker compose run --rm --no-deps --entrypoint cat loadgen /site/client/api-key"
