#!/usr/bin/env bash
# A session with nothing but curl: only what is new is sent, the server knows the rest.
# BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
set -euo pipefail

url=${BRIDGE_URL:-http://127.0.0.1:8000/v1}
key=${BRIDGE_API_KEY:-unused}
session="example $$-$RANDOM/1"
encoded="${session/ /%20}" # in a path, and in a header, an id is percent-encoded; in JSON it is not
encoded="${encoded/\//%2F}"
branch="$session, forked"
encoded_branch="$encoded%2C%20forked"

# -N shows a stream as it comes; --fail-with-body makes curl fail when the server says so.
call() {
  curl -sS -N --fail-with-body -H "Authorization: Bearer $key" "$@"
}

chat() { # -i: the head of the answer as well
  call -i "$url/chat/completions" -H "Content-Type: application/json" "$@"
}

# Makes a request and shows its answer, of the headers those about sessions.
step() {
  answer=$("$@" | tr -d '\r') || { printf '%s\n' "$answer" >&2 && exit 1; }
  grep -E '^(x-session-id|x-bridge-session|data):|^\{' <<<"$answer"
}

expect() {
  if [[ $answer != *"$1"* ]]; then
    echo "this should have been in the answer: $1" >&2
    exit 1
  fi
}

echo "== the first turn, to a session named in the body"
step chat -d '{
  "model": "sonnet",
  "session_id": "'"$session"'",
  "messages": [{"role": "user", "content": "My name is Ada."}]
}'
expect "x-bridge-session: created"

echo "== the second one, to a session named in a header, as a stream"
step chat -H "X-Session-Id: $encoded" -d '{
  "model": "sonnet",
  "messages": [{"role": "user", "content": "What is my name?"}],
  "stream": true
}'
expect "x-bridge-session: continued"
expect "data: [DONE]"
answer=$(grep -o '"content":"[^"]*"' <<<"$answer" | cut -d '"' -f 4 | tr -d '\n')
expect "Ada"

echo "== your sessions"
step call "$url/sessions"
expect "\"session_id\":\"$session\""

echo "== its messages"
step call "$url/sessions/$encoded/messages"
expect '"total":4'

echo "== a fork after the first answer, and a turn of it"
step call "$url/sessions/$encoded/fork" -H "Content-Type: application/json" \
  -d '{"session_id": "'"$branch"'", "message_count": 2}'
expect '"message_count":2'
step chat -H "X-Session-Id: $encoded_branch" -d '{
  "model": "sonnet",
  "messages": [{"role": "user", "content": "Do you know my name?"}]
}'
expect "x-bridge-session: continued"
expect "Ada"

echo "== the first session has not changed"
step call "$url/sessions/$encoded"
expect '"message_count":4'

echo "== deleted"
for name in "$encoded" "$encoded_branch"; do
  step call -X DELETE "$url/sessions/$name"
  expect "deleted successfully"
done
if call "$url/sessions/$encoded" 2>/dev/null; then
  echo "this session should be gone" >&2
  exit 1
fi
echo
