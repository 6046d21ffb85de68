/*
 * Runs Nix for skep-exec:
 *
 *   skep-build nix  --uid N --gid N --owner UID --program FILE --dir DIR --cache DIR
 *                   --timeout S --memory BYTES --meta DIR --ref REF --commit OID --agent NAME
 *   skep-build lock --uid N --gid N --program FILE --dir DIR --cache DIR --timeout S
 *                   --memory BYTES
 *   skep-build effect (as lock) --system PATH [--against PATH]
 *
 * DIR belongs to root and holds home/.gitconfig, an empty empty/, and rw/, which belongs to
 * the uid. What comes out lies in rw/: `result`, a link into the store (nix), or `flake.lock`
 * (lock), or `effect.json` (effect); after a failure `error`, a text. Descriptor 1 is the log;
 * at the end of file of descriptor 0 everything is ended. For lock DIR/input.json says
 * {"inputs":{name:URL},"lock"}.
 */
#pragma once

/* Returns the exit status: 0 done, 1 failed, 2 for a wrong command line. */
int evaluate(int argc, char **argv);
