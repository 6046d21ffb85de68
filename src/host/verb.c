#include "host/verb.h"

#include "base/cleanup.h"
#include "host/message.h"

#include <errno.h>

/* {"id":…,"ok":true} and the keys of answer. */
static json_t *success(uint64_t id, bool partial, const json_t *answer)
{
	json_t *whole = json_pack("{s:I, s:b}", "id", (json_int_t)id, "ok", 1);

	if (partial)
		json_object_set_new(whole, "partial", json_true());
	json_object_update(whole, (json_t *)answer);
	return whole;
}

int verb_send_partial(struct verb_request *request, json_t *answer, int fd, struct error *err)
{
	json_auto_t *owned = answer;
	json_auto_t *whole = success(request->id, true, owned);
	int r = message_send(request->channel_fd, whole, &fd, fd < 0 ? 0 : 1);

	return r < 0 ? error_set_errno(err, r, "cannot send an answer") : 0;
}

int verb_send_final(struct verb_request *request, int r, const json_t *answer,
		    const struct error *err)
{
	json_auto_t *whole =
		r < 0 ? message_failure(request->id, err) : success(request->id, false, answer);

	return message_send(request->channel_fd, whole, &request->answer_fd,
			    r < 0 || request->answer_fd < 0 ? 0 : 1);
}
