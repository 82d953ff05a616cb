#!/usr/bin/env bash
# The server with nothing but curl: its models, a plain answer, a stream, and an error.
# BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
set -euo pipefail

url=${BRIDGE_URL:-http://127.0.0.1:8000/v1}
key=${BRIDGE_API_KEY:-unused}

# -N shows a stream as it comes; --fail-with-body makes curl fail when the server says so.
call() {
  curl -sS -N --fail-with-body -H "Authorization: Bearer $key" "$@"
}

chat() {
  call "$url/chat/completions" -H "Content-Type: application/json" -d "$1"
}

echo "== models"
models=$(call "$url/models")
echo "${models:0:300} …"

echo "== a plain answer"
chat '{
  "model": "sonnet",
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
    {"role": "user", "content": "What is my name?"}
  ],
  "max_tokens": 200
}'
echo

echo "== a stream"
chat '{
  "model": "haiku",
  "messages": [{"role": "user", "content": "Hello, who are you?"}],
  "max_tokens": 40,
  "stream": true,
  "stream_options": {"include_usage": true}
}'

echo "== an error names the field at fault"
if chat '{"model": "sonnet", "messages": [{"role": "pirate", "content": "Arr"}]}' 2>/dev/null; then
  echo "this should have been refused" >&2
  exit 1
fi
echo
