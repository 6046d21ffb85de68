#include "nix/flake.h"

#include "base/buf.h"
#include "base/text.h"
#include "model/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK "@INPUTS@\n"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

int flake_check_url(const char *key, const char *url, struct error *err)
{
	size_t n = strlen(url);
	char *shown;

	if (n > 0 && n <= FLAKE_URL_MAX && strchr(url, ':') &&
	    strspn(url, LETTERS ":/.?&=_%+~,@-") == n)
		return 0;
	shown = text_clean_dup(url, 100, false);
	error_set(err, EINVAL,
		  "'%s' must be the URL of a flake (\"github:NixOS/nixpkgs/nixos-25.11\"), not "
		  "'%s'",
		  key, shown);
	free(shown);
	return -EINVAL;
}

int flake_check_path(const char *path, struct error *err)
{
	if (path[0] == '/' && strspn(path, LETTERS "/._-") == strlen(path))
		return 0;
	return error_set(err, EINVAL,
			 "Nix builds need a path of letters, digits and '/', '.', '_', '-', "
			 "not '%.100s'",
			 path);
}

static int add_inputs(struct buf *out, const struct flake *f, struct error *err)
{
	int r;

	if (f->nixpkgs) {
		if ((r = flake_check_url("nixpkgs", f->nixpkgs, err)) < 0)
			return r;
		buf_addf(out, "    nixpkgs.url = \"%s\";\n", f->nixpkgs);
	}
	if (f->base) {
		if ((r = flake_check_url("base", f->base, err)) < 0)
			return r;
		buf_addf(out, "    base.url = \"%s\";\n", f->base);
	}
	if (f->base && f->base_follows)
		buf_add_str(out, "    base.inputs.nixpkgs.follows = \"nixpkgs\";\n");
	if (f->n_agents > 0 && (r = flake_check_path(f->applied_dir, err)) < 0)
		return r;
	for (size_t i = 0; i < f->n_agents; i++) {
		if ((r = name_check(f->agents[i], err)) < 0)
			return r;
		buf_add_str(out, "    agent-");
		buf_add_str(out, f->agents[i]);
		buf_add_str(out, ".url = \"git+file://");
		buf_add_str(out, f->applied_dir);
		buf_add_char(out, '/');
		buf_add_str(out, f->agents[i]);
		buf_add_str(out, "?ref=refs/heads/main&shallow=1\";\n");
	}
	return 0;
}

int flake_render(const char *template, const struct flake *flake, char **ret, struct error *err)
{
	const char *at = strstr(template, MARK);
	struct buf out = {};
	int r;

	if (!at || strstr(at + 1, MARK))
		return error_set(err, EINVAL,
				 "the template of flake.nix has no single line @INPUTS@");
	buf_add(&out, template, (size_t)(at - template));
	r = add_inputs(&out, flake, err);
	if (r < 0) {
		buf_release(&out);
		return r;
	}
	buf_add_str(&out, at + strlen(MARK));
	*ret = buf_take(&out);
	return 0;
}
