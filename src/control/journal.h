/*
 * What kind of event a line of the journal is, for those that an operator acts on: the
 * MESSAGE_ID by which share/journal/skep.catalog explains it (man sd_journal_print, journalctl
 * -x).
 */
#pragma once

#include "model/proposal.h"

/* A proposal came into this state. */
const char *journal_proposal_id(enum proposal_state state);

#define JOURNAL_CONTAINER_ENDED "9209ebcf020040a199a737d5e81d7025"
#define JOURNAL_DRIFT "5d9a4e8a7db744dc834f3df9bb7c3484"
#define JOURNAL_HEAL "aeb8c9d7afc64444aecf5db0f7da9e5e"
#define JOURNAL_LOGIN "5feb9cc6da644e4ebe32e1045dad784b"
#define JOURNAL_AUTH_FAILED "00720009c2bd48daa3bae4ed0317491d"
#define JOURNAL_WRONG_PEER "ca1b5d0e1e3443aaaee4d3c789073f68"
