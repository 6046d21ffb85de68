#include "control/journal.h"

static const char *const ids[PROPOSAL_STATE_COUNT] = {
	[PROPOSAL_REVIEW] = "9a6c2c6732be426294db650146fcdf3c",
	[PROPOSAL_APPROVED] = "3b60362252ef4cf8ad9c4975a6db0ba3",
	[PROPOSAL_BUILDING] = "cbe3a9d678e24f47a28e73331badecdf",
	[PROPOSAL_CANCELLED] = "d6ecc50308e947dfac5f275959a5113e",
	[PROPOSAL_SUPERSEDED] = "4ab7ee83355b4caf917ae733df74408d",
	[PROPOSAL_STALE] = "b3f178907658466b88d97c7ef4e3aae6",
	[PROPOSAL_DENIED] = "2f3d4f0a136e494cb77d46ac15553941",
	[PROPOSAL_FAILED] = "5b0d7e50950c4732a3a4fe1b13667569",
	[PROPOSAL_DEPLOYED] = "b4815bcfd70a470fa309c1c8a8ff17bd",
};

const char *journal_proposal_id(enum proposal_state state)
{
	return ids[state];
}
