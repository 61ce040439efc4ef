package sandbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"hotfolder/sandbox"
)

func TestWholeJobInFakeTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{Processing: 90 * time.Second})
		begun := time.Now()
		const name = "Größe 42 #1?.jpg"
		hash := c.upload(name, "image/jpeg", jpegOf(packshot(200, 160, 0)))
		id := c.create(sandbox.PackshotWhite, name, "image/jpeg", hash, `"labels":{"hotfolder_job":"7"}`)
		if d := c.details(id); d.Status != "CREATED" && d.Status != "ACTIVE" || d.ResultPath != nil || d.FinishedAt != nil {
			t.Errorf("at first %+v", d)
		}
		d := c.wait(id, "COMPLETED")
		if took := time.Since(begun); took < 90*time.Second || took > 92*time.Second {
			t.Errorf("took %v", took)
		}
		if *d.ResultFileName != "Größe 42 #1?.png" || *d.ResultContentType != "image/png" || d.Labels["hotfolder_job"] != "7" || d.ChargedCredits != 10 {
			t.Errorf("details %+v", d)
		}
		got := c.get("/v1"+escaped(*d.ResultPath)).want(t, 200)
		if sum := sha256.Sum256([]byte(got.body)); hex.EncodeToString(sum[:]) != *d.ResultContentHash {
			t.Error("the result has another hash than the details say")
		}
		b := s.Books()
		if b.Balance != 990 || b.Charged() != 10 || len(b.Executions) != 1 || len(b.Uploads) != 1 || b.Calls[sandbox.Create] != 1 || b.Calls[sandbox.Download] != 1 {
			t.Errorf("books %+v", b)
		}
	})
}
