#include "host/nspawn.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <string.h>

/*
 * What nspawn would leave to a container and ours do not need. In a user namespace most of it
 * reaches little, but every capability is kernel code that container root can call. Kept: the
 * file, kill and id capabilities that a system's own services need, SYS_ADMIN and SYS_CHROOT
 * for systemd's sandboxes, SYS_BOOT to power off, SYS_NICE and SYS_RESOURCE.
 */
static const char dropped[] =
	"CAP_AUDIT_CONTROL,CAP_AUDIT_WRITE,CAP_IPC_OWNER,CAP_LEASE,CAP_LINUX_IMMUTABLE,CAP_"
	"MKNOD,"
	"CAP_NET_ADMIN,CAP_NET_BROADCAST,CAP_NET_RAW,CAP_SYS_PTRACE,CAP_SYS_TTY_CONFIG";

struct args {
	char **items;
	size_t count;
};

static void add(struct args *args, char *item)
{
	args->items = mem_grow(args->items, args->count + 2, sizeof(*args->items));
	args->items[args->count++] = item;
	args->items[args->count] = NULL;
}

/* nspawn splits binds at ':' and understands '\' before either. */
static char *escaped(const char *path)
{
	struct buf out = {};

	for (; *path; path++) {
		if (*path == ':' || *path == '\\')
			buf_add_char(&out, '\\');
		buf_add_char(&out, *path);
	}
	return buf_take(&out);
}

static void bind_path(struct args *args, const char *option, const char *from, const char *to,
		      const char *how)
{
	_cleanup_free_ char *source = escaped(from);

	add(args,
	    str_format("--%s=%s:%s%s%s", option, source, to, how ? ":" : "", how ? how : ""));
}

static void bind_below(struct args *args, const char *option, const char *dir, const char *name,
		       const char *to, const char *how)
{
	_cleanup_free_ char *from = str_format("%s/%s", dir, name);

	bind_path(args, option, from, to, how);
}

static void add_binds(struct args *args, const struct place *place,
		      const struct container_spec *spec, const struct nspawn_setup *setup)
{
	_cleanup_free_ char *agent = str_format("%s/agents/%s", place->state, spec->agent);
	_cleanup_free_ char *hive = str_format("%s/agents/%s", place->runtime, spec->agent);

	/* Without what is mounted below it: nspawn cannot shift owners under a mount ("busy").
	 */
	if (system_is_store(spec->system))
		bind_path(args, "bind-ro", "/nix/store", "/nix/store",
			  setup->store_idmap ? "norbind,idmap" : "norbind");
	else
		bind_path(args, "bind-ro", setup->usr, "/usr",
			  setup->usr_idmap ? "norbind,idmap" : "norbind");
	bind_path(args, "bind-ro", hive, "/run/hive", NULL);
	bind_path(args, "bind-ro", setup->skep, "/run/hive/bin/skep", NULL);
	bind_below(args, "bind", agent, "state", "/state", NULL);
	bind_below(args, "bind", agent, "claude", "/root/.claude", NULL);
	if (!spec->manager)
		return;
	bind_below(args, "bind", place->state, "proposed", "/agents", NULL);
	/* git refuses a repository that looks owned by someone else: skep appears as root
	 * inside. */
	bind_below(args, "bind-ro", place->state, "applied", "/applied", "rootidmap");
	bind_below(args, "bind-ro", place->state, "meta", "/meta", "rootidmap");
}

char *nspawn_dropped(const struct container_spec *spec)
{
	return str_format("%s%s", dropped,
			  spec->private_network ? "" : ",CAP_NET_BIND_SERVICE");
}

char **nspawn_argv(const struct place *place, const struct container_spec *spec,
		   const struct nspawn_setup *setup)
{
	_cleanup_free_ char *capabilities = NULL;
	struct args args = {};

	add(&args, str_dup(SKEP_NSPAWN));
	add(&args, str_dup("--quiet"));
	add(&args, str_dup("--register=no"));
	add(&args, str_dup("--keep-unit"));
	add(&args, str_format("--machine=%s", spec->container));
	add(&args, str_format("--directory=%s", setup->root));
	add(&args, str_format("--private-users=%u:%u", (unsigned)spec->uid_base, UID_RANGE));
	/* The root is made with the right owners, so there is nothing to change at a start. */
	add(&args, str_dup("--private-users-ownership=off"));
	capabilities = nspawn_dropped(spec);
	add(&args, str_format("--drop-capability=%s", capabilities));
	add(&args, str_dup("--no-new-privileges=yes"));
	if (spec->private_network)
		add(&args, str_dup("--private-network"));
	add(&args, str_dup("--notify-ready=yes"));
	add(&args, str_dup("--kill-signal=SIGRTMIN+3"));
	add(&args, str_dup("--console=read-only"));
	add(&args, str_dup("--link-journal=no"));
	add_binds(&args, place, spec, setup);
	/* The system's own way of starting, which ends in its own systemd. */
	add(&args, system_is_store(spec->system) ? str_format("%s/init", spec->system)
						 : str_dup("--boot"));
	return args.items;
}

void nspawn_free_argv(char **argv)
{
	for (char **a = argv; a && *a; a++)
		free(*a);
	free(argv);
}
