#include "host/skeleton.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OS_RELEASE_MAX 65536
#define ETC_MAX_FILES 20000
#define ETC_MAX_BYTES (64u << 20)

struct directory {
	const char *path;
	mode_t mode;
	bool manager; /* only the manager has it */
};

static const struct directory bare[] = {
	{"dev", 0755, false},          {"etc", 0755, false},     {"nix", 0755, false},
	{"nix/store", 0755, false},    {"proc", 0755, false},    {"root", 0700, false},
	{"root/.claude", 0700, false}, {"run", 0755, false},     {"state", 0700, false},
	{"sys", 0755, false},          {"tmp", 01777, false},    {"usr", 0755, false},
	{"var", 0755, false},          {"var/lib", 0755, false}, {"var/log", 0755, false},
	{"agents", 0755, true},        {"applied", 0755, true},  {"meta", 0755, true},
};

static const struct directory directories[] = {
	{"dev", 0755, false},
	{"etc", 0755, false},
	{"etc/profile.d", 0755, false},
	{"etc/ssl", 0755, false},
	{"etc/systemd", 0755, false},
	{"etc/systemd/journald.conf.d", 0755, false},
	{"etc/systemd/system", 0755, false},
	{"etc/systemd/system-preset", 0755, false},
	{"etc/systemd/system.conf.d", 0755, false},
	{"home", 0755, false},
	{"mnt", 0755, false},
	{"opt", 0755, false},
	{"proc", 0755, false},
	{"root", 0700, false},
	{"root/.claude", 0700, false},
	{"run", 0755, false},
	{"srv", 0755, false},
	{"state", 0700, false},
	{"sys", 0755, false},
	{"tmp", 01777, false},
	{"usr", 0755, false},
	{"usr/lib", 0755, false},
	{"usr/lib/systemd", 0755, false},
	{"var", 0755, false},
	{"var/cache", 0755, false},
	{"var/lib", 0755, false},
	{"var/log", 0755, false},
	{"var/log/journal", 0755, false},
	{"var/tmp", 01777, false},
	{"agents", 0755, true},
	{"applied", 0755, true},
	{"meta", 0755, true},
};

static const char *const usr_links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* Copied from the host's /etc where they exist. No accounts, no host name, no keys, no machine
 * id. */
static const char *const etc_entries[] = {
	"alternatives", "bash.bashrc", "ca-certificates", "ld.so.cache",   "ld.so.conf",
	"ld.so.conf.d", "login.defs",  "mime.types",      "nsswitch.conf", "pam.d",
	"profile",      "profile.d",   "protocols",       "security",      "services",
	"shells",       "ssl/certs",   "ssl/openssl.cnf",
};

struct skeleton {
	int root_fd;
	uid_t uid;
};

static int own(const struct skeleton *s, const char *path, struct error *err)
{
	if (fchownat(s->root_fd, path, s->uid, s->uid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, errno, "cannot own '%s' of a root", path);
	return 0;
}

static int put_file(const struct skeleton *s, const char *path, mode_t mode, const char *text,
		    struct error *err)
{
	_cleanup_close_ int fd =
		openat(s->root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	int r = fd < 0 ? -errno : file_write_all(fd, text, strlen(text));

	if (r == 0 && (fchown(fd, s->uid, s->uid) < 0 || fchmod(fd, mode) < 0))
		r = -errno;
	return r < 0 ? error_set_errno(err, r, "cannot write '%s' of a root", path) : 0;
}

static int put_link(const struct skeleton *s, const char *path, const char *target,
		    struct error *err)
{
	if (symlinkat(target, s->root_fd, path) < 0)
		return error_set_errno(err, errno, "cannot make '%s' of a root", path);
	return own(s, path, err);
}

static int put_directories(const struct skeleton *s, const struct directory *list, size_t n,
			   bool manager, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (list[i].manager && !manager)
			continue;
		r = file_make_dir(s->root_fd, list[i].path, list[i].mode, s->uid, s->uid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_usr_links(const struct skeleton *s, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(usr_links); i++) {
		_cleanup_free_ char *host = str_format("/usr/%s", usr_links[i]);
		int r = 0;

		if (access(host, F_OK) == 0)
			r = put_link(s, usr_links[i], host + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * nspawn decides from the tree, before /usr is bound, which control group layout the system
 * inside understands: an empty file with the library's name tells it the version.
 */
static int put_version_marker(const struct skeleton *s, struct error *err)
{
	static const char *const patterns[] = {
		"/usr/lib/systemd/libsystemd-shared-*.so",
		"/usr/lib64/systemd/libsystemd-shared-*.so",
		"/usr/lib/*/systemd/libsystemd-shared-*.so",
	};
	_cleanup_free_ char *path = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(patterns) && !path; i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found) == 0)
			path = str_format("usr/lib/systemd%s", strrchr(found.gl_pathv[0], '/'));
		globfree(&found);
	}
	if (!path)
		return error_set(err, ENOENT, "this machine's /usr holds no systemd to boot");
	return put_file(s, path, 0644, "", err);
}

static int put_etc(const struct skeleton *s, struct error *err)
{
	_cleanup_close_ int from = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int into =
		openat(s->root_fd, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct copy copy = {
		.uid = s->uid,
		.gid = s->uid,
		.max_files = ETC_MAX_FILES,
		.max_bytes = ETC_MAX_BYTES,
	};

	if (from < 0 || into < 0)
		return error_set_errno(err, errno, "cannot open '/etc'");
	for (size_t i = 0; i < ARRAY_SIZE(etc_entries); i++) {
		int r = copy_entry(from, etc_entries[i], into, etc_entries[i], "/etc", &copy,
				   err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int put_texts(const struct skeleton *s, const struct container_spec *spec,
		     const char *machine_id, struct error *err)
{
	_cleanup_free_ char *id = str_format("%s\n", machine_id);
	_cleanup_free_ char *hosts =
		str_format("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n",
			   spec->container);
	_cleanup_buf_ struct buf os_release = {};
	/* os-release is a file of its own: the host's link into /usr dangles until /usr is
	 * bound. */
	int r = file_read(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX, &os_release, err);
	const struct {
		const char *path;
		mode_t mode;
		const char *text;
	} files[] = {
		{"etc/machine-id", 0444, id},
		{"etc/hosts", 0644, hosts},
		{"etc/environment", 0644, ""},
		{"etc/os-release", 0644, buf_str(&os_release)},
		/* A login shell's profile makes a search path of its own. */
		{"etc/profile.d/50-skep.sh", 0644, "PATH=$PATH:/run/hive/bin\n"},
		/* A unit is on because the agent's tree says so, never by a preset. */
		{"etc/systemd/system-preset/00-none.preset", 0644, "disable *\n"},
		{"etc/systemd/journald.conf.d/10-skep.conf", 0644,
		 "[Journal]\nSystemMaxUse=64M\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = put_file(s, files[i].path, files[i].mode, files[i].text, err);
	return r;
}

int skeleton_make(int root_fd, const struct container_spec *spec, const char *machine_id,
		  struct error *err)
{
	const struct skeleton s = {.root_fd = root_fd, .uid = spec->uid_base};
	int r = put_directories(&s, directories, ARRAY_SIZE(directories), spec->manager, err);

	if (r == 0)
		r = put_usr_links(&s, err);
	if (r == 0)
		r = put_version_marker(&s, err);
	if (r == 0)
		r = put_etc(&s, err);
	if (r == 0)
		r = put_texts(&s, spec, machine_id, err);
	/* Nobody logs in on the console, and its getty would cost an inotify instance. */
	if (r == 0)
		r = put_link(&s, "etc/systemd/system/console-getty.service", "/dev/null", err);
	return r;
}

int skeleton_make_bare(int root_fd, const struct container_spec *spec, const char *machine_id,
		       struct error *err)
{
	const struct skeleton s = {.root_fd = root_fd, .uid = spec->uid_base};
	_cleanup_free_ char *id = str_format("%s\n", machine_id);
	int r = put_directories(&s, bare, ARRAY_SIZE(bare), spec->manager, err);

	if (r == 0)
		r = put_file(&s, "etc/machine-id", 0444, id, err);
	/* Empty: the activation of the system puts its own in place. */
	return r < 0 ? r : put_file(&s, "etc/os-release", 0644, "", err);
}
