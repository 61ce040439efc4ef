package cli

import (
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
)

// scenario is one thing that goes wrong. After its steps everything must come right by itself: all results are waited for, the agent
// is stopped and the promises are checked.
type scenario struct {
	name, title string
	faults      sandbox.Faults
	impossible  func() string // why it can't be done on this machine; "": it can
	steps       []step
}

// scenarios is the list.
func scenarios() []scenario {
	now := []step{startAgent, dropAll}
	return []scenario{
		{name: "plain", title: "nothing goes wrong", steps: now},
		{name: "kills", title: "killed 5 times at random moments", faults: sandbox.Faults{
			Latency: 40 * time.Millisecond, DropAfter: sandbox.Chance{P: 0.2, At: []string{sandbox.Create}}, ListLag: 500 * time.Millisecond,
		},
			steps: []step{killedTimes(5), startAgent, dropAll}},
		{name: "api-errors", title: "the API answers with errors, 429 and 401", steps: now, faults: sandbox.Faults{
			ServerError: sandbox.Chance{P: 0.1}, TooMany: sandbox.Chance{P: 0.1}, DropBefore: sandbox.Chance{P: 0.05}, TokenCalls: 15,
		}},
		{name: "lost-answers", title: "answers get lost, its list lags", steps: now, faults: sandbox.Faults{
			DropAfter: sandbox.Chance{P: 0.4, At: []string{sandbox.Create, sandbox.Upload}}, ListLag: time.Second,
		}},
		{name: "bad-downloads", title: "results arrive cut short or damaged", steps: now, faults: sandbox.Faults{
			Truncate: sandbox.Chance{P: 0.15}, CutShort: sandbox.Chance{P: 0.1}, Corrupt: sandbox.Chance{P: 0.15},
		}},
		{name: "no-network", title: "no network for some seconds",
			steps: []step{startAgent, dropHalf, pauseFor(500 * time.Millisecond), cutNetwork, dropAll, pauseFor(3 * time.Second), mendNetwork}},
		{name: "login", title: "the login is revoked, then renewed",
			steps: []step{startAgent, dropHalf, revokeLogin, dropAll, awaitTrouble(agent.LoginNeeded), renewLogin}},
		{name: "no-credits", title: "the credits run out, then are bought",
			steps: []step{startAgent, dropHalf, setCredits(0), dropAll, awaitTrouble(agent.OutOfCredits), setCredits(1_000_000)}},
		{name: "failures", title: "executions fail and are run again", steps: now, faults: sandbox.Faults{Fail: 0.5, FailTimes: 1}},
		{name: "quality-check", title: "pictures wait for a person's quality check", steps: now,
			faults: sandbox.Faults{InQA: 0.7, QAFor: 2 * time.Second}},
		{name: "no-input", title: "the input folders go away and come back",
			steps: []step{startAgent, dropHalf, takeInputsAway, awaitTrouble(agent.InputOffline), bringInputsBack, dropAll}},
		{name: "no-output", title: "the output folders go away and come back",
			steps: []step{startAgent, dropAll, takeOutputsAway, awaitTrouble(agent.OutputUnwritable), bringOutputsBack}},
		{name: "read-only", title: "the output folders are read-only for a while", impossible: cannotForbid,
			steps: []step{forbidOutputs, startAgent, dropAll, awaitTrouble(agent.OutputUnwritable), allowOutputs}},
		{name: "full-disk", title: "the disk of an output folder is full", impossible: cannotMount,
			steps: []step{shrinkDisk, startAgent, dropAll, awaitTrouble(agent.OutputUnwritable), growDisk}},
		{name: "slow-copies", title: "pictures are copied slowly, with pauses", steps: []step{startAgent, copySlowly}},
		{name: "replaced", title: "pictures are replaced while they are uploaded", faults: sandbox.Faults{Latency: time.Second},
			steps: []step{startAgent, dropAll, replaceDuringUpload}},
		{name: "broken-files", title: "files are cut short, empty or no pictures", steps: []step{dropBroken, dropAll, runOnce}},
		{name: "names", title: "names have umlauts, spaces and emoji", steps: []step{renameDrops, startAgent, dropAll}},
		{name: "two-agents", title: "a second agent is started on the data folder", steps: []step{startAgent, dropHalf, startSecond, dropAll}},
		{name: "shared-input", title: "a second agent is started on the input folders", steps: []step{startAgent, dropHalf, awaitAll, startRival, dropAll}},
		{name: "duplicates", title: "the same pictures come twice", steps: []step{startAgent, dropAll, dropCopies}},
	}
}
