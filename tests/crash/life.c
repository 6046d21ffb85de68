#include "life.h"

#include "base/cleanup.h"

/* A commit in a proposed repository. */
#define COMMIT(agent, text)                                                                \
	"cd proposed/" agent " && sed -i 's/\"grace\": 20/\"grace\": 0/; "                 \
	"s/\"soak\": [0-9]*/\"soak\": 0/' agent.json && mkdir -p rootfs/etc && echo " text \
	" > rootfs/etc/motd && git add -A && git commit -qm " text " && git rev-parse HEAD"
#define LATEST(agent) "git -C proposed/" agent " rev-parse HEAD"
#define APPROVE(id, key)                                                      \
	"{'cmd':'approve','id':" id ",'commit':'@','wait':true,'flags_ack':[" \
	"'history-rewritten'],'idem_key':'0123456789abcdef0123456789abcd" key "'}"
#define META_HEAD "git -C meta/.git rev-parse main"
#define SUBMIT(agent) "{'cmd':'submit','agent':'" agent "','commit':'@'}"

const struct step life[] = {
	{"begin", NULL, NULL, NULL, false},
	{"spawn", NULL, "{'cmd':'spawn','name':'alice','memory_max':'1G','wait':true}", NULL,
	 false},
	{"submit", COMMIT("alice", "one"), SUBMIT("alice"), NULL, false},
	{"submit another", COMMIT("alice", "two"), SUBMIT("alice"), NULL, false},
	{"deny", LATEST("alice"),
	 "{'cmd':'deny','id':2,'commit':'@','note':'no','idem_key':"
	 "'0123456789abcdef0123456789abcd00'}",
	 NULL, false},
	{"submit a third", COMMIT("alice", "three"), SUBMIT("alice"), NULL, false},
	{"approve", LATEST("alice"), APPROVE("3", "01"), NULL, false},
	{"start again", NULL, NULL, NULL, false},
	{"submit what cannot be built", COMMIT("alice", "four"), SUBMIT("alice"), NULL, false},
	{"fail to build",
	 "git -C proposed/alice rev-parse HEAD^{tree} > bad-tree; " LATEST("alice"),
	 APPROVE("4", "02"), NULL, false},
	{"submit what is sick", "rm bad-tree; " COMMIT("alice", "five"), SUBMIT("alice"), NULL,
	 false},
	{"fail to run",
	 "git -C proposed/alice rev-parse HEAD^{tree} > bad-system; " LATEST("alice"),
	 APPROVE("5", "03"), NULL, false},
	{"submit a sixth", "rm bad-system; " COMMIT("alice", "six"), SUBMIT("alice"), NULL,
	 false},
	{"approve and do not wait", LATEST("alice"),
	 "{'cmd':'approve','id':6,'commit':'@','flags_ack':['history-rewritten'],"
	 "'idem_key':'0123456789abcdef0123456789abcd04'}",
	 NULL, false},
	{"roll back", NULL, "{'cmd':'rollback','name':'alice','to':3,'wait':true}", NULL, true},
	{"set", NULL, "{'cmd':'set','name':'alice','settings':{'memory_max':'2G'}}", NULL,
	 false},
	{"pause", NULL, "{'cmd':'set_paused','name':'alice','paused':true}", NULL, false},
	{"stop", NULL, "{'cmd':'stop','name':'alice','wait':true}", NULL, false},
	{"start", NULL, "{'cmd':'start','name':'alice','wait':true}", NULL, false},
	{"spawn another", NULL, "{'cmd':'spawn','name':'bob','wait':true}", NULL, false},
	{"rename", NULL, "{'cmd':'rename','name':'bob','to':'carol','wait':true}", NULL, true},
	{"ask for a fork", NULL, "{'cmd':'fork','name':'alice','to':'dave'}", NULL, true},
	{"fork", "git -C meta/.git tag -l 'proposal/*' | cut -d/ -f2 | sort -n | tail -n 1",
	 "{'cmd':'approve','id':@,'wait':true,'idem_key':'0123456789abcdef0123456789abcd05'}",
	 NULL, false},
	{"apply", META_HEAD, "{'cmd':'apply','prune':true,'wait':true,'meta':'@'}",
	 "{'version':1,'hive':'h','agents':{'eve':{'probe':{'kind':'none'}},"
	 "'finn':{'probe':{'kind':'none'}}}}",
	 false},
	{"apply less", META_HEAD, "{'cmd':'apply','prune':true,'wait':true,'meta':'@'}",
	 "{'version':1,'hive':'h','agents':{'eve':{'probe':{'kind':'none'},'limits':{'memory_"
	 "max':'1G'}}}}",
	 false},
	{"submit and leave open", COMMIT("alice", "seven"), SUBMIT("alice"), NULL, false},
	{"withdraw",
	 "git -C applied/alice/.git tag -l 'proposal/*' | cut -d/ -f2 | sort -n | tail -n 1",
	 "{'cmd':'withdraw','id':@}", NULL, false},
	{"submit once more", COMMIT("alice", "eight"), SUBMIT("alice"), NULL, false},
	{"destroy", NULL, "{'cmd':'destroy','name':'alice','wait':true}", NULL, false},
	{"revive", NULL, "{'cmd':'spawn','name':'alice','wait':true}", NULL, false},
	{"purge", NULL,
	 "{'cmd':'destroy','name':'alice','purge':true,'confirm':'alice','wait':true}", NULL,
	 false},
	{"spawn a namesake", NULL, "{'cmd':'spawn','name':'alice','wait':true}", NULL, false},
};

const size_t life_steps = ARRAY_SIZE(life);
