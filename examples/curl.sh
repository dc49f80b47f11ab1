#!/usr/bin/env bash
# Score a recording with its transcript, wait for the answer and print it as JSON.
#   HILBERT_CLIENT_API_KEY=hil_... examples/curl.sh interview.flac interview.vtt
set -euo pipefail

url=${HILBERT_URL:-http://127.0.0.1:8000}
audio=${1:?the recording}
transcript=${2:?its transcript}
authorization="Authorization: Bearer ${HILBERT_CLIENT_API_KEY:?the key that \`make serve\` printed once}"

# -D prints the headers: 202 Accepted names the new assessment in Location.
location=$(curl --silent --show-error --fail-with-body -D - -o /dev/null -H "$authorization" \
  -F "audio=@$audio" -F "transcript=@$transcript" -F 'metadata={"task": "spectrum"}' \
  "$url/v1/assessments" | tr -d '\r' | sed -n 's/^[Ll]ocation: *//p')

while true; do
  answer=$(curl --silent --show-error --fail-with-body -H "$authorization" "$url$location")
  case $answer in
    *'"state":"succeeded"'* | *'"state":"abstained"'* | *'"state":"failed"'* | *'"state":"cancelled"'*) break ;;
  esac
  sleep 1
done
echo "$answer"
