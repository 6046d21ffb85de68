/* What Nix prints of a closure, and a flake's own template: bounded, sorted, JSON. */
#include "fuzz.h"

#include "base/json.h"
#include "nix/closure.h"
#include "nix/flake.h"

static void try_flake(const char *url, const char *agent)
{
	const char *agents[] = {agent};
	struct flake flake = {.applied_dir = "/var/lib/skep/applied",
			      .nixpkgs = url,
			      .base = url,
			      .agents = agents,
			      .n_agents = 1};
	_cleanup_free_ char *text = NULL;
	struct error err = {};

	if (flake_check_url("nixpkgs", url, &err) < 0)
		return;
	must(strlen(url) <= FLAKE_URL_MAX && !strpbrk(url, "\"\\$\n\r{}' "));
	if (flake_render("{\n@INPUTS@\n}\n", &flake, &text, &err) == 0)
		must(strstr(text, url) &&
		     (strstr(url, "@INPUTS@") || !strstr(text, "@INPUTS@")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *before = fuzz_field(&data, &size),
			    *after = fuzz_field(&data, &size);
	json_auto_t *effect = json_object();
	_cleanup_free_ char *line = NULL;

	closure_compare(before, after, effect);
	line = json_line(effect);
	must(line && json_is_object(json_object_get(effect, "closure")));
	try_flake(before, "alice");
	return 0;
}
