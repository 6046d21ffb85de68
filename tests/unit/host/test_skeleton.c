#include "unit.h"

#include "base/cleanup.h"
#include "host/roots.h"
#include "host/skeleton.h"

#include <errno.h>
#include <sys/stat.h>

#define ID "0123456789abcdef0123456789abcdef"
#define S1 "1111111111111111111111111111111111111111"
#define S2 "2222222222222222222222222222222222222222"
#define S3 "3333333333333333333333333333333333333333"

/* Everything belongs to whoever runs the test: only root can give files away. */
static struct container_spec make_spec(const char *system)
{
	struct container_spec spec = {
		.agent = "alice",
		.container = "h-alice",
		.uid_base = getuid(),
		.port = 8879,
		.dashboard_port = 7700,
		.label = (char *)"alice",
	};

	strcpy(spec.system, system);
	return spec;
}

static bool exists(int fd, const char *path)
{
	return faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_contents(void **state)
{
	static const char *const wanted[] = {
		"etc/os-release",
		"etc/machine-id",
		"etc/hosts",
		"etc/pam.d",
		"root/.claude",
		"state",
		"var/log/journal",
		"proc",
		"sys",
		"dev",
		"run",
		"usr/lib/systemd",
		"tmp",
		"etc/systemd/system-preset/00-none.preset",
		"etc/profile.d/50-skep.sh",
	};
	static const char *const unwanted[] = {
		"etc/passwd",   "etc/shadow",
		"etc/group",    "etc/gshadow",
		"etc/hostname", "etc/ssl/private",
		"etc/ssh",      "etc/fstab",
		"etc/sudoers",  "agents",
		"applied",      "meta",
		"etc/cron.d",   "etc/security/opasswd",
	};
	struct container_spec spec = make_spec(S1);
	_cleanup_close_ int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_buf_ struct buf text = {};
	struct error err = {};
	struct stat st;
	char target[32] = "";

	if (skeleton_make(fd, &spec, ID, &err) < 0)
		fail_msg("%s", error_text(&err));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!exists(fd, wanted[i]))
			fail_msg("'%s' is missing", wanted[i]);
	for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
		if (exists(fd, unwanted[i]))
			fail_msg("'%s' should not be there", unwanted[i]);
	assert_int_equal(readlinkat(fd, "bin", target, sizeof(target)), 7);
	assert_string_equal(target, "usr/bin");
	assert_int_equal(file_read(fd, "etc/machine-id", 100, &text, &err), 0);
	assert_string_equal(buf_str(&text), ID "\n");
	assert_int_equal(fstatat(fd, "etc/os-release", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(
		S_ISREG(st.st_mode)); /* a link into /usr would dangle until /usr is bound */
	assert_int_equal(fstatat(fd, "tmp", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_int_equal(fstatat(fd, "root", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_manager_has_more(void **state)
{
	struct container_spec spec = make_spec(S1);
	_cleanup_close_ int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = {};

	spec.manager = true;
	assert_int_equal(skeleton_make(fd, &spec, ID, &err), 0);
	assert_true(exists(fd, "agents") && exists(fd, "applied") && exists(fd, "meta"));
}

/* A hive's state with built systems in it. Systems and roots belong to root, so this needs to
 * be. */
static struct place make_hive(void **state)
{
	static const char *const dirs[] = {
		"agents",
		"agents/alice",
		"roots",
		"systems",
		"systems/" S1,
		"systems/" S2,
		"systems/" S3,
		"systems/" S1 "/rootfs",
		"systems/" S1 "/rootfs/etc",
		"systems/" S2 "/rootfs",
		"systems/" S2 "/rootfs/bin",
	};
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdir(unit_path(path, state, dirs[i]), 0755), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD,
					   unit_path(path, state,
						     "systems/" S1 "/rootfs/etc/motd"),
					   "hello", 5, 0644, NULL),
			 0);
	return (struct place){.state = *state, .runtime = *state};
}

static int open_below(void **state, const char *name)
{
	char path[256];

	return open(unit_path(path, state, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_root_is_made_and_reused(void **state)
{
	struct place place = make_hive(state);
	struct container_spec spec = make_spec(S1);
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf id = {}, again = {}, text = {};
	struct error err = {};
	bool usr = true;

	if (root_prepare(&place, &spec, &usr, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_false(usr);
	fd = open_below(state, "roots/alice/" S1);
	assert_true(exists(fd, "etc/motd"));
	assert_int_equal(file_read(fd, "etc/machine-id", 100, &id, NULL), 0);
	/* What the container wrote stays; what a start decides is written anew. */
	assert_int_equal(mkdirat(fd, "home/mine", 0755), 0);
	spec.port = 9999;
	assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
	assert_true(exists(fd, "home/mine"));
	assert_int_equal(file_read(fd, "etc/systemd/system.conf.d/10-skep.conf", 4000, &text,
				   NULL),
			 0);
	assert_non_null(strstr(buf_str(&text), "HIVE_PORT=9999"));
	/* Unless it is to be fresh. */
	spec.fresh = true;
	assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
	close(fd);
	fd = open_below(state, "roots/alice/" S1);
	assert_false(exists(fd, "home/mine"));
	spec.fresh = false;
	/* Another system has the same machine id. */
	strcpy(spec.system, S3);
	assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
	close(fd);
	fd = open_below(state, "roots/alice/" S3);
	assert_int_equal(file_read(fd, "etc/machine-id", 100, &again, NULL), 0);
	assert_string_equal(buf_str(&id), buf_str(&again));
}

static void test_failed_root_leaves_nothing(void **state)
{
	struct place place = make_hive(state);
	struct container_spec spec = make_spec(S2);
	_cleanup_close_ int fd = -1;
	struct error err = {};

	assert_int_equal(root_prepare(&place, &spec, NULL, &err), -EEXIST);
	assert_text(&err, "rootfs/bin");
	fd = open_below(state, "roots/alice");
	assert_false(exists(fd, S2));
	assert_false(exists(fd, ".new-" S2));
	strcpy(spec.system, "4444444444444444444444444444444444444444");
	assert_int_equal(root_prepare(&place, &spec, NULL, &err), -ENODATA);
}

static void test_interrupted_root_is_made_again(void **state)
{
	struct place place = make_hive(state);
	struct container_spec spec = make_spec(S1);
	struct error err = {};
	char path[256];

	assert_int_equal(mkdir(unit_path(path, state, "roots/alice"), 0700), 0);
	assert_int_equal(mkdir(unit_path(path, state, "roots/alice/.new-" S3), 0700), 0);
	assert_int_equal(mkdir(unit_path(path, state, "roots/alice/.new-" S1), 0700), 0);
	assert_int_equal(mkdir(unit_path(path, state, "roots/alice/.new-" S1 "/etc"), 0700), 0);
	assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
	assert_int_equal(access(unit_path(path, state, "roots/alice/.new-" S3), F_OK), -1);
	assert_int_equal(access(unit_path(path, state, "roots/alice/" S1 "/etc/motd"), F_OK),
			 0);
}

/* The container's root has it in its hands: a link in the way of what a start writes is not
 * followed. */
static void test_tampered_root_is_made_again(void **state)
{
	static const struct {
		const char *path, *target;
	} links[] = {
		{"etc/systemd/system.conf.d", "../../../../../victim"},
		{"etc", "../../../victim"},
	};
	struct place place = make_hive(state);
	struct container_spec spec = make_spec(S1);
	struct error err = {};
	char path[256];

	assert_int_equal(mkdir(unit_path(path, state, "victim"), 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		_cleanup_close_ int fd = -1;
		_cleanup_free_ char *moved = NULL;

		assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
		fd = open_below(state, "roots/alice/" S1);
		moved = str_format("%s.away", links[i].path);
		assert_int_equal(renameat(fd, links[i].path, fd, moved), 0);
		assert_int_equal(symlinkat(links[i].target, fd, links[i].path), 0);
		assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
		close(fd);
		fd = open_below(state, "roots/alice/" S1);
		assert_true(exists(fd, "etc/systemd/system.conf.d/10-skep.conf"));
		assert_false(exists(fd, moved)); /* made again */
	}
	assert_int_equal(rmdir(unit_path(path, state, "victim")), 0); /* still empty */
}

static void test_current_and_previous_stay(void **state)
{
	struct place place = make_hive(state);
	static const char *const order[] = {S1, S3, S1, S1};
	struct container_spec spec = make_spec(S2);
	_cleanup_close_ int fd = -1;
	struct error err = {};
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct container_spec one = make_spec(order[i]);

		assert_int_equal(root_prepare(&place, &one, NULL, &err), 0);
		assert_int_equal(root_activate(&place, "alice", order[i], &err), 0);
	}
	fd = open_below(state, "roots/alice");
	assert_true(exists(fd, S1) && exists(fd, S3));
	/* A third takes the place of the one before the last. */
	assert_int_equal(file_remove_tree(AT_FDCWD,
					  unit_path(path, state, "systems/" S2 "/rootfs/bin"),
					  NULL),
			 0);
	assert_int_equal(root_prepare(&place, &spec, NULL, &err), 0);
	assert_int_equal(root_activate(&place, "alice", S2, &err), 0);
	assert_true(exists(fd, S1) && exists(fd, S2));
	assert_false(exists(fd, S3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_dir_test(test_contents),
		unit_dir_test(test_manager_has_more),
		unit_dir_test(test_root_is_made_and_reused),
		unit_dir_test(test_failed_root_leaves_nothing),
		unit_dir_test(test_interrupted_root_is_made_again),
		unit_dir_test(test_tampered_root_is_made_again),
		unit_dir_test(test_current_and_previous_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
