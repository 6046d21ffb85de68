/*
 * The life of proposals as skepd promises it: two agents, three numbers, a manager that submits,
 * an operator that decides and repeats what was not answered, containers that die, and a crash
 * between any two steps, in recovery as well. What is on disk survives; what is in memory does
 * not. src/control/ledger.c, deploy.c, verdict.c, recover.c and owed.c are the originals.
 *
 * BREAK names one rule that is left out (tests/model/run): the checks below must notice each.
 */
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef BREAK
#define BREAK 0
#endif
#define REPLY_BEFORE_TAG 1     /* yes is said before approved/N is on disk */
#define TAG_BEFORE_READ_BACK 2 /* deployed/N is written before the container was looked at */
#define FAILED_IS_OWED 3       /* after a restart, what failed is tried again */
#define NO_STALE 4             /* a build begins though the base has moved */
#define NUMBER_AGAIN 5         /* after a restart, numbers of decided proposals are free */
#define NO_CLOSING 6           /* a start does not close what a newer proposal replaced */
#define MAIN_FIRST 7           /* main moves before deployed/N is there */
#define NO_ROLL_FORWARD 8      /* a start leaves main where it is */
#define REPEAT_REFUSED 9       /* the same verdict said again is a conflict */
#define NO_WAY_BACK 10         /* a failed probe leaves the new system running */
#define UNTOUCHED_STAYS 11     /* a build that fails again, after a switch that was not recorded */
#define NOT_RESUMED 12         /* a start forgets what is owed */

#define AGENTS 2
#define NUMBERS 4 /* 1 to 3; 0 is what each agent was spawned with */
#ifndef PROPOSALS
#define PROPOSALS 3
#endif
#define STOPPED 9

#define PROPOSAL 1
#define APPROVED 2
#define DEPLOYED 4
#define FAILED 8
#define DENIED 16
#define STALE 32
#define SUPERSEDED 64
#define OUTCOME (DEPLOYED | FAILED | DENIED | STALE | SUPERSEDED)

/* on disk, and in the world */
byte tags[NUMBERS];
byte agent_of[NUMBERS], base_of[NUMBERS];
byte main_of[AGENTS];
byte running[AGENTS];

/* what the operator wants of each, and was told */
#define APPROVE 1
#define DENY 2
#define YES 1
#define NO 2
byte wants[NUMBERS], told[NUMBERS];

/* in memory */
bit up = 0;
bit crashed = 1; /* nobody has started it yet */
bit held;        /* a callback of several steps runs: skepd has one thread */
bit look[AGENTS]; /* the container was not compared with the record since the start */
bit forgot[NUMBERS];
byte next;

byte submitted, crashes, deaths;

#define has(n, t) ((tags[n] & (t)) != 0)
#define is_of(n, a) (tags[n] != 0 && agent_of[n] == a)
#define last(a) \
	(is_of(3, a) && has(3, DEPLOYED) -> 3 : (is_of(2, a) && has(2, DEPLOYED) -> 2 : \
	(is_of(1, a) && has(1, DEPLOYED) -> 1 : 0)))
#define pending(n) (has(n, PROPOSAL) && !has(n, APPROVED | OUTCOME))
#if BREAK == FAILED_IS_OWED
#define owed(n) (has(n, APPROVED) && !has(n, OUTCOME - FAILED))
#else
#define owed(n) (has(n, APPROVED) && !has(n, OUTCOME) && !forgot[n])
#endif
#define owed_of(a) \
	(is_of(1, a) && owed(1) -> 1 : (is_of(2, a) && owed(2) -> 2 : (is_of(3, a) && owed(3) -> 3 : 0)))
#define go (up && !held)

/* The one writer of tags. */
inline mark(n, t)
{
	assert(!has(n, t));                                        /* nothing is said twice */
	assert((t) != APPROVED || pending(n));
	assert(((t) & OUTCOME) == 0 || !has(n, OUTCOME));          /* one outcome */
	assert((t) != DEPLOYED || has(n, APPROVED));               /* nothing unapproved */
	assert((t) != DEPLOYED || running[agent_of[n]] == n);      /* what is recorded runs */
	assert((t) != DEPLOYED || base_of[n] == last(agent_of[n])); /* over what was reviewed */
	assert((t) != FAILED || running[agent_of[n]] == last(agent_of[n]) ||
	       running[agent_of[n]] == STOPPED);                   /* the old system runs on */
	tags[n] = tags[n] | (t)
}

inline move_main(n, a)
{
	assert(n == 0 || has(n, DEPLOYED)); /* main follows the record */
	main_of[a] = n
}

inline mark_stale(n, a)
{
	if
	:: is_of(n, a) && (pending(n) || (has(n, APPROVED) && !has(n, OUTCOME))) &&
	   base_of[n] != last(a) -> mark(n, STALE)
	:: else
	fi
}

/* ---- who asks ---- */

#define replaced(o, n, a) (n > o && is_of(o, a) && pending(o))

/* One commit for one agent; the newer one closes the older, if nobody decided it. The first is
 * for the first agent: they are alike. */
proctype manager()
{
	byte n, a;

	do
	::
		{
			atomic {
				go && submitted < PROPOSALS ->
				if
				:: a = 0
				:: submitted > 0 -> a = 1
				fi;
				n = next;
				assert(n < NUMBERS && tags[n] == 0); /* never the same number */
				next++;
				submitted++;
				agent_of[n] = a;
				base_of[n] = last(a);
				tags[n] = PROPOSAL;
				held = replaced(1, n, a) || replaced(2, n, a)
			};
			atomic {
				if
				:: replaced(1, n, a) -> mark(1, SUPERSEDED)
				:: else
				fi;
				if
				:: replaced(2, n, a) -> mark(2, SUPERSEDED)
				:: else
				fi;
				held = 0;
				n = 0;
				a = 0
			}
		} unless { atomic { !up -> n = 0; a = 0; up } }
	od
}

/* The connection may be gone by then: it will be said again. Of the first, as they are alike. */
inline answer(n, what)
{
	if
	:: told[n] = what
	:: n == 1
	fi
}

/* Decides each proposal once, and says it again until there is an answer. */
proctype operator(byte n)
{
	do
	:: atomic { go && pending(n) && wants[n] != DENY && told[n] == 0 ->
		wants[n] = APPROVE;
#if BREAK == REPLY_BEFORE_TAG
		told[n] = YES; held = 1 };
		{ atomic { mark(n, APPROVED); held = 0 } } unless { !up }
#else
		mark(n, APPROVED);
		answer(n, YES) }
#endif
	:: atomic { go && pending(n) && wants[n] != APPROVE && told[n] == 0 ->
		wants[n] = DENY;
		mark(n, DENIED);
		answer(n, YES) }
	:: atomic { go && has(n, APPROVED) && wants[n] == APPROVE && told[n] == 0 ->
#if BREAK == REPEAT_REFUSED
		told[n] = NO }
#else
		told[n] = YES }
#endif
	:: atomic { go && has(n, DENIED) && wants[n] == DENY && told[n] == 0 -> told[n] = YES }
	:: atomic { go && has(n, STALE | SUPERSEDED) && !has(n, APPROVED) && told[n] == 0 -> told[n] = NO }
	od
}

/* ---- one agent's queue ---- */

proctype worker(byte a)
{
	byte n, old;

	do
	::
		{
			do
			:: atomic { go && owed_of(a) != 0 ->
				n = owed_of(a);
				look[a] = 0;
#if BREAK != NO_STALE
				mark_stale(n, a);
#endif
				if
				:: has(n, STALE) -> n = 0
				:: !has(n, STALE) -> old = last(a); goto built
				/* it cannot be built, or takes too long; one that was cut short before may
				 * have been switched to */
				:: !has(n, STALE) ->
					old = last(a);
#if BREAK != UNTOUCHED_STAYS
					if
					:: running[a] != old && running[a] != STOPPED -> goto bad
					:: else
					fi;
#endif
					mark(n, FAILED);
					n = 0;
					old = 0
				fi }
			:: atomic { go && owed_of(a) == 0 && (look[a] || running[a] == STOPPED) ->
				/* what was deployed last, whatever runs */
				running[a] = last(a);
				look[a] = 0 }
			od;
built:
			atomic { go ->
				assert(has(n, APPROVED) && !has(n, OUTCOME)); /* decided is decided */
#if BREAK == TAG_BEFORE_READ_BACK
				tags[n] = tags[n] | DEPLOYED;
#endif
				if
				:: running[a] = n
				:: running[a] = STOPPED /* it does not come up */
				:: true                 /* not even begun */
				fi };
			if
			:: atomic { go && running[a] == n -> /* read back, and the probe is good */
				held = 1;
#if BREAK == MAIN_FIRST
				move_main(n, a) };
				atomic { mark(n, DEPLOYED) };
#else
#if BREAK != TAG_BEFORE_READ_BACK
				mark(n, DEPLOYED);
#endif
				old = n };
				atomic { move_main(n, a) };
#endif
				atomic {
					mark_stale(1, a);
					mark_stale(2, a);
					mark_stale(3, a);
					held = 0;
					n = 0;
					old = 0;
					goto done }
			:: go -> goto bad
			fi;
bad:
#if BREAK != NO_WAY_BACK
			atomic { go -> running[a] = old };
#endif
			atomic { go -> mark(n, FAILED); n = 0; old = 0 };
done:
			skip
		} unless { atomic { !up -> n = 0; old = 0; up } }
	od
}

/* ---- what happens to it ---- */

proctype starter()
{
	byte i;

	do
	:: atomic { crashed -> crashed = 0; up = 0; held = 0 };
		{
			atomic {
				next = 1;
				i = 1;
				do
				:: i < NUMBERS ->
#if BREAK == NUMBER_AGAIN
					if
					:: tags[i] != 0 && !has(i, OUTCOME) -> next = i + 1
#else
					if
					:: tags[i] != 0 -> next = i + 1
#endif
					:: else
					fi;
					i++
				:: else -> break
				od
			};
#if BREAK != NO_ROLL_FORWARD
			atomic { move_main(last(0), 0); move_main(last(1), 1) };
#endif
#if BREAK != NO_CLOSING
			/* one stays open, the newest */
			if
			:: atomic { pending(1) && ((pending(2) && agent_of[2] == agent_of[1]) ||
			   (pending(3) && agent_of[3] == agent_of[1])) -> mark(1, SUPERSEDED) }
			:: else
			fi;
			if
			:: atomic { pending(2) && pending(3) && agent_of[3] == agent_of[2] -> mark(2, SUPERSEDED) }
			:: else
			fi;
#endif
			atomic {
				mark_stale(1, 0); mark_stale(1, 1);
				mark_stale(2, 0); mark_stale(2, 1);
				mark_stale(3, 0); mark_stale(3, 1)
			};
			atomic {
				look[0] = 1;
				look[1] = 1;
#if BREAK == NOT_RESUMED
				forgot[1] = owed(1);
				forgot[2] = owed(2);
				forgot[3] = owed(3);
#endif
				up = 1
			}
		} unless { crashed }
	od
}

proctype trouble()
{
	do
	:: atomic { !crashed && crashes < CRASHES -> crashes++; up = 0; crashed = 1 }
	/* the whole machine */
	:: atomic { !crashed && crashes < CRASHES ->
		crashes++; up = 0; crashed = 1; running[0] = STOPPED; running[1] = STOPPED }
	:: atomic { deaths < DEATHS -> deaths++; running[0] = STOPPED }
	od
}

/* ---- what must hold when nothing moves any more ---- */

inline settled(a)
{
	assert(running[a] == last(a));
	assert(main_of[a] == last(a))
}

inline decided(n)
{
	assert(!has(n, APPROVED) || has(n, OUTCOME));              /* nothing is owed for ever */
	assert(!pending(n) || told[n] == 0);
	assert(told[n] != YES || wants[n] != APPROVE || has(n, APPROVED));
	assert(told[n] != YES || wants[n] != DENY || has(n, DENIED));
	assert(told[n] != NO || !has(n, APPROVED | DENIED))
}

proctype oracle()
{
	do
	:: timeout ->
		settled(0);
		settled(1);
		decided(1);
		decided(2);
		decided(3);
		break
	od
}

init
{
	atomic {
		run starter();
		run manager();
		run operator(1);
		run operator(2);
		run operator(3);
		run worker(0);
		run worker(1);
		run trouble();
		run oracle()
	}
}
