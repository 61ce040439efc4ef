package agent

import (
	"context"
	"hash/maphash"
	"iter"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
)

// listing reads a workflow's executions to the end, for those who must miss none. Of each it keeps 8 bytes.
type listing struct {
	api      *autoretouch.Client
	workflow string
	failed   func(ctx context.Context, err error, n int) (again bool) // hears of the n-th failure in a row and may wait
	seed     maphash.Seed
	seen     map[uint64]struct{} // the executions that were yielded
}

func newListing(api *autoretouch.Client, workflow string, failed func(context.Context, error, int) bool) *listing {
	return &listing{api: api, workflow: workflow, failed: failed, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
}

// someTries is the patience with one page, where all of a list is wanted.
func someTries(ctx context.Context, err error, n int) (again bool) {
	if autoretouch.ClassOf(err) != autoretouch.Transient || n == 3 {
		return false
	}
	pause(ctx, backoff(n, time.Second, time.Minute, autoretouch.RetryAfter(err)), nil)
	return ctx.Err() == nil
}

// all yields the executions that were not yielded before, in any order. New ones shift the pages of the list while it is read, so
// it is read again until it has shown as many as the API says there are, or nothing new.
func (l *listing) all(ctx context.Context) iter.Seq2[autoretouch.Execution, error] {
	return func(yield func(autoretouch.Execution, error) bool) {
		for again := true; again; {
			news, total := 0, 0
			for offset, end := 0, false; !end; {
				page, err := l.page(ctx, offset)
				if err != nil {
					yield(autoretouch.Execution{}, err)
					return
				}
				for _, e := range page.Entries {
					if !l.isNew(e.ID) {
						continue
					}
					news++
					if !yield(e, nil) {
						return
					}
				}
				total = page.Total
				offset += len(page.Entries)
				end = isLast(page, offset)
			}
			again = news > 0 && len(l.seen) < total
		}
	}
}

// isLast tells whether a page, after which the list goes on at offset, is the last one. The API need not say how long the list is.
func isLast(page autoretouch.Page, offset int) bool {
	if page.Total > 0 {
		return len(page.Entries) == 0 || offset >= page.Total
	}
	return len(page.Entries) < pageSize
}

func (l *listing) isNew(id string) bool {
	key := maphash.String(l.seed, id)
	_, seen := l.seen[key]
	l.seen[key] = struct{}{}
	return !seen
}

func (l *listing) page(ctx context.Context, offset int) (autoretouch.Page, error) {
	for n := 1; ; n++ {
		page, err := l.api.Executions(ctx, l.workflow, pageSize, offset)
		if err == nil || !l.failed(ctx, err, n) {
			return page, err
		}
	}
}

// sharesResults tells whether a picture of the folder may have the result of an execution that was created elsewhere for the same
// content. The API does not tell with what settings an execution was created, so only where there are none.
func sharesResults(c *config.Config, f config.Folder) bool {
	for _, other := range c.Folders {
		if other.Workflow == f.Workflow && len(other.Settings) > 0 {
			return false
		}
	}
	return f.Duplicates == config.Reuse
}

// mayShare tells whether such an execution has, or is about to have, a result.
func mayShare(e autoretouch.Execution) bool {
	return e.InputHash != "" && e.Status != autoretouch.Failed && e.Status != autoretouch.PaymentRequired
}

// isDone tells whether an execution has a result that can be fetched.
func isDone(e autoretouch.Execution) bool {
	return e.Status == autoretouch.Completed && e.ResultPath != "" && e.ResultHash != ""
}
