#include "skep/declared.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "declare/chimera.h"
#include "declare/files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

DEFINE_CLEANUP(struct source *, source_free)

static int read_source(struct cli *cli, struct source **ret, struct error *err)
{
	const char *where = cli->args.words[0], *revision = args_get(&cli->args, "rev");

	return revision ? source_read_git(where, revision, ret, err)
			: source_read_dir(where, ret, err);
}

int declared_read(struct cli *cli, json_t **ret, json_t **ret_notes, struct error *err)
{
	_cleanup_(source_freep) struct source *source = NULL;
	const char *host = args_get(&cli->args, "host");
	json_auto_t *notes = json_array();
	char here[256] = "";
	int r = read_source(cli, &source, err);

	if (r < 0)
		return r;
	if (!host && gethostname(here, sizeof(here) - 1) < 0)
		return error_set_errno(err, errno, "cannot tell the name of this host");
	if (args_get(&cli->args, "from"))
		r = chimera_read(source, host ? host : here, ret, notes, err);
	else
		r = files_read(source, host ? host : here, ret, err);
	if (r == 0)
		*ret_notes = TAKE_PTR(notes);
	return r;
}

void declared_tell(struct cli *cli, const json_t *notes)
{
	json_t *note;
	size_t i;

	json_array_foreach (notes, i, note)
		cli_say(cli, "%s", json_string_value(note));
}
