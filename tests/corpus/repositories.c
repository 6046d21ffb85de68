/* Whole repositories that lead elsewhere, or try to make the reader run, follow or wait for
 * something. */
#include "corpus/corpus.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A good repository of two commits, changed by a shell command that may write the tip's id to
 * "tip". */
static void make_changed(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *tip_path = raw_path(repo, "tip");
	_cleanup_fclose_ FILE *f = NULL;

	raw_shell(repo,
		  "git init -q -b main . && echo 1 >a && git add a && git commit -qm 1 && "
		  "echo 2 >a && git commit -qam 2 && git rev-parse HEAD >tip");
	raw_shell(repo, arg);
	f = fopen(tip_path, "re");
	must(f && fread(repo->tip, OID_HEX_SIZE - 1, 1, f) == 1, tip_path);
}

/* The same, but what is wanted is the secret repository's commit. */
static void make_leak(struct raw_repo *repo, const void *arg)
{
	make_changed(repo, arg);
	memcpy(repo->tip, repo->secret_commit, OID_HEX_SIZE);
}

/* A tip of our own whose only file is the secret blob. */
static void make_leak_blob(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};

	make_changed(repo, arg);
	raw_add_entry(&tree, "100644", "stolen", 0, repo->secret_blob);
	raw_tip(repo, &tree);
}

#define CHANGED(command) .make = make_changed, .arg = command
#define LEAK(command) .make = make_leak, .arg = command
#define LEAK_BLOB(command) .make = make_leak_blob, .arg = command

static const struct corpus_case cases[] = {
	TAKE("plain repository", CHANGED("true")),
	REFUSE("no repository", ENOENT, "is missing", CHANGED("rm -rf .git")),
	REFUSE("alternates", ENOENT, "is missing",
	       LEAK("echo \"$2/.git/objects\" >.git/objects/info/alternates")),
	REFUSE("alternates, one blob", ENOENT, "'stolen'",
	       LEAK_BLOB("echo \"$2/.git/objects\" >.git/objects/info/alternates")),
	REFUSE("relative alternates", ENOENT, "'stolen'",
	       LEAK_BLOB("echo ../../../secret/.git/objects >.git/objects/info/alternates")),
	REFUSE("gitfile", ENOENT, "is missing",
	       LEAK("rm -rf .git; echo \"gitdir: $2/.git\" >.git")),
	REFUSE("commondir", ENOENT, "is missing", LEAK("echo \"$2/.git\" >.git/commondir")),
	REFUSE("symlinked .git", ENOENT, "is missing",
	       LEAK("rm -rf .git; ln -s \"$2/.git\" .git"), .needs_jail = true),
	REFUSE("symlinked .git, relative", ENOENT, "is missing",
	       LEAK("rm -rf .git; ln -s ../secret/.git .git"), .needs_jail = true),
	REFUSE("symlinked objects", ENOENT, "is missing",
	       LEAK("rm -rf .git/objects; ln -s \"$2/.git/objects\" .git/objects"),
	       .needs_jail = true),
	REFUSE("symlinked objects through /proc", ENOENT, "is missing",
	       LEAK("rm -rf .git/objects; ln -s \"/proc/self/root/$2/.git/objects\" "
		    ".git/objects"),
	       .needs_jail = true),
	REFUSE("symlinked pack directory", ENOENT, "is missing",
	       LEAK("cd \"$2\"; git cat-file --batch-all-objects --batch-check='%(objectname)' "
		    "| "
		    "git pack-objects -q .git/objects/pack/pack; cd \"$1\"; "
		    "rm -rf .git/objects/pack; ln -s \"$2/.git/objects/pack\" "
		    ".git/objects/pack"),
	       .needs_jail = true),
	REFUSE("symlinked object directories", ENOENT, "'stolen'",
	       LEAK_BLOB("for d in \"$2\"/.git/objects/[0-9a-f]*; do rm -rf "
			 ".git/objects/${d##*/}; "
			 "ln -s \"$d\" .git/objects/; done"),
	       .needs_jail = true),
	REFUSE("symlinked objects one by one", ENOENT, "'stolen'",
	       LEAK_BLOB("cd \"$2/.git/objects\"; for f in [0-9a-f]*/*; do mkdir -p "
			 "\"$1/.git/objects/${f%/*}\"; "
			 "ln -s \"$2/.git/objects/$f\" \"$1/.git/objects/$f\"; done"),
	       .needs_jail = true),
	TAKE("FIFO config", CHANGED("rm .git/config; mkfifo .git/config")),
	TAKE("FIFO packed-refs", CHANGED("mkfifo .git/packed-refs")),
	TAKE("FIFO HEAD", CHANGED("rm .git/HEAD; mkfifo .git/HEAD")),
	TAKE("include.path", CHANGED("git config include.path /etc/shadow")),
	TAKE("programs in the configuration",
	     CHANGED("for k in core.fsmonitor core.sshCommand core.editor core.pager "
		     "uploadpack.packObjectsHook diff.external filter.x.smudge filter.x.clean; "
		     "do "
		     "git config $k \"touch $1/ran\"; done")),
	TAKE("hooks", CHANGED("for h in post-checkout pre-commit update post-index-change "
			      "reference-transaction; "
			      "do printf '#!/bin/sh\\ntouch %s/ran\\n' \"$1\" >.git/hooks/$h; "
			      "chmod +x .git/hooks/$h; done")),
	TAKE("replaced commit",
	     CHANGED("echo 3 >a; git commit -qam 3; git replace HEAD~1 HEAD")),
	TAKE("grafts", CHANGED("git rev-parse HEAD >.git/info/grafts")),
	TAKE("info/attributes", CHANGED("echo '* ident export-subst' >.git/info/attributes")),
	REFUSE("shallow", ENOENT, "is missing",
	       CHANGED("q=$(git rev-parse HEAD~1 | sed 's,^..,&/,'); rm -f .git/objects/$q; "
		       "git rev-parse HEAD >.git/shallow")),
	REFUSE("partial clone", ENOENT, "'a' (blob",
	       CHANGED("b=$(git rev-parse HEAD:a | sed 's,^..,&/,'); rm -f .git/objects/$b; "
		       "git config remote.o.promisor true; git config remote.o.url \"$2\"")),
	REFUSE("SHA-256", ENOENT, "is missing",
	       CHANGED("t=$(cat tip); rm -rf .git tip; git init -q --object-format=sha256 .; "
		       "git add "
		       "a; "
		       "git commit -qm 1; echo $t >tip")),
	REFUSE("gitfile in a worktree", ENOENT, "is missing",
	       CHANGED("mv .git x; echo 'gitdir: x' >.git")),
	REFUSE("objects of another owner only", ANY_ERROR, "",
	       CHANGED("chmod -R a-rwx .git/objects"), .needs_jail = true),
};

const struct corpus_list corpus_repositories = {cases, ARRAY_SIZE(cases)};
