package agent

import (
	"context"
	"fmt"
	"strings"

	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// guard says, for a person, why a result that was downloaded into file cannot be right; "" when it can. It looks at the
// structure alone: what the pixels show is for people to judge, and to decode them all would cost more than the rest of the job.
// What a person asked for as it is passes.
func (f *folder) guard(job store.Job, file string) (why string, err error) {
	if job.Retries == accepted || !job.DeliveredAt.IsZero() {
		return "", nil
	}
	in, err := watcher.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	picture, err := watcher.Inspect(in, info.Size())
	if err != nil {
		return "", err
	}
	promised := mediaType(job.Result.ContentType)
	switch _, known := exts[promised]; {
	case info.Size() == 0:
		return "the result is empty", nil
	case f.Unchanged == config.UnchangedReview && job.Result.SHA256 == job.SHA256:
		return "the result is the original again, unchanged", nil
	case promised != "" && !known: // of a kind never heard of
		return "", nil
	case picture.Type == "":
		return "the result is no picture", nil
	case !picture.Whole || picture.Width == 0 || picture.Height == 0:
		return "the result is damaged: its picture is not whole", nil
	case known && picture.Type != promised:
		return fmt.Sprintf("the result is of the type %s, though AutoRetouch says %s", picture.Type, promised), nil
	}
	return "", nil
}

// mediaType is a content type without its parameters, in lower case.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind == "image/jpg" {
		return "image/jpeg"
	}
	return kind
}

// holdBack fails a job whose result cannot be right. The result is in the review folder first, with the reason beside it.
func (a *Agent) holdBack(ctx context.Context, f *folder, job store.Job, result *part, why string) error {
	name := f.resultName(job, firstChoice)
	to, err := a.move(ctx, result.path, job.Result.SHA256, f.ReviewFolder(), name, note{".reason.txt", heldBack(f, job, why)})
	if err != nil {
		return &outputError{fmt.Errorf("put a result into the review folder: %w", err)}
	}
	result.path = ""
	if job, err = a.note(job.ID, func(j *store.Job) { j.Output = "" }); err != nil {
		return err
	}
	a.fail(f, job, fmt.Sprintf("%s: it is kept as %s; look at it, then 'hotfolder redeliver %s' delivers it all the same", why, to, job.ID))
	return errGivenUp
}

func heldBack(f *folder, job store.Job, why string) string {
	return fmt.Sprintf("This result was not delivered.\r\n\r\nWhy: %s.\r\n\r\nIf it is good all the same, 'hotfolder redeliver %s' delivers it, at no charge.\r\n"+
		"If it is not, ask the support of AutoRetouch.\r\n\r\nOriginal: %s\r\nExecution: %s\r\n",
		why, job.ID, f.inputPath(job.Path), job.Execution)
}
