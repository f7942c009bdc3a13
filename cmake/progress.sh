#!/usr/bin/env bash
# progress.sh LOG: copies Ninja's lines from stdin into LOG and says every 20 seconds how far it is. Needs
# NINJA_STATUS="[%f/%t] ". Not awk: mawk holds what comes through a pipe back until a block is full.
began=$SECONDS
said=$SECONDS
while IFS= read -r line || [ -n "$line" ]; do
  printf '%s\n' "$line" >> "$1"
  if [ $((SECONDS - said)) -ge 20 ]; then
    case $line in
      "["*/*"] "*)
        counts=${line%%]*}
        counts=${counts#[}
        echo "panvec: native build: ${counts%/*} of ${counts#*/} steps, $((SECONDS - began)) s" >&2
        said=$SECONDS
        ;;
    esac
  fi
done
