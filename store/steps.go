package store

import "slices"

// State says what is owed to a job next.
type State string

// The states of a job, in the order of an undisturbed life; CONTRACT.md ("States of a job") says what each means.
const (
	Queued          State = "queued"           // content hashed; owed: the upload
	Uploaded        State = "uploaded"         // the API holds the content; owed: the execution
	Submitting      State = "submitting"       // the create call may have been made; owed: the execution's id
	Processing      State = "processing"       // the API works on it
	InQA            State = "in_qa"            // waits for a person at AutoRetouch
	PaymentRequired State = "payment_required" // no credits
	Downloading     State = "downloading"      // completed; owed: the result under its final name
	Delivered       State = "delivered"        // done
	Failed          State = "failed"           // needs a person; Job.Error says why
	Gone            State = "gone"             // the input vanished, or was replaced, before anything was paid
)

// States lists all states in the order in which people want to read them.
var States = []State{Queued, Uploaded, Submitting, Processing, InQA, PaymentRequired, Downloading, Delivered, Failed, Gone}

// letters are the states as they stand in the file; one that was given away is never used for another state.
var letters = map[State]byte{Queued: 'q', Uploaded: 'u', Submitting: 's', Processing: 'p', InQA: 'i', PaymentRequired: '$', Downloading: 'd', Delivered: 'v', Failed: 'f', Gone: 'g'}

// steps is the whole life of a job, one line a state. Ledger.Step refuses anything else with ErrStep and writes nothing.
var steps = map[State][]State{
	Queued:          {Uploaded, Failed, Gone},
	Uploaded:        {Submitting, Downloading, Queued, Failed, Gone},               // Downloading: paid for already; Queued: the API no longer holds the content
	Submitting:      {Processing, Uploaded, Queued, Failed},                        // back only when surely no execution carries the label
	Processing:      {InQA, PaymentRequired, Downloading, Failed},                  //
	InQA:            {Processing, PaymentRequired, Downloading, Failed},            //
	PaymentRequired: {Processing, InQA, Downloading, Failed},                       //
	Downloading:     {Delivered, Processing, Failed},                               // Processing: the result was withdrawn
	Delivered:       {Downloading},                                                 // redeliver
	Failed:          {Queued, Uploaded, Submitting, Processing, Downloading, Gone}, // retry: to where it failed
	Gone:            {Queued, Failed},                                              // it came back
}

// May tells whether a job may go from one state to another.
func May(from, to State) bool { return slices.Contains(steps[from], to) }

// Final tells whether nothing is owed to a job in this state unless a person wants it.
func (s State) Final() bool { return s == Delivered || s == Failed || s == Gone }
