package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/sandbox"
)

// floorPoll is how often the floor asks for the list.
const floorPoll = 500 * time.Millisecond

// runFloor does the least that brings the pictures back: upload and create, list, download.
func runFloor(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s setup
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	api, err := autoretouch.New(autoretouch.Options{
		URL: s.URL, AuthURL: s.URL, ClientID: sandbox.ClientID, Organization: sandbox.Organization, UserAgent: "floor", CAFile: s.CA,
		Credentials: autoretouch.Given{Refresh: s.Token, Store: &autoretouch.File{Path: file + ".token"}},
	})
	if err != nil {
		return err
	}
	defer api.Close()
	files, err := os.ReadDir(s.Input)
	if err != nil {
		return err
	}
	f := &bare{api: api, setup: s, waiting: map[string]string{}, todo: make(chan string), done: make(chan autoretouch.Execution)}
	var workers, uploads sync.WaitGroup
	for range 8 {
		uploads.Go(func() { f.upload(ctx) })
		workers.Go(func() { f.download(ctx) })
	}
	go func() {
		for _, file := range files {
			f.todo <- file.Name()
		}
		close(f.todo)
	}()
	err = f.poll(ctx, len(files))
	close(f.done)
	uploads.Wait()
	workers.Wait()
	return err
}

type bare struct {
	setup
	api  *autoretouch.Client
	todo chan string
	done chan autoretouch.Execution

	mu      sync.Mutex
	waiting map[string]string // execution → file
}

func (f *bare) upload(ctx context.Context) {
	for name := range f.todo {
		if err := f.send(ctx, name); err != nil {
			fmt.Fprintln(os.Stderr, name, err)
			os.Exit(1)
		}
	}
}

func (f *bare) send(ctx context.Context, name string) error {
	path := filepath.Join(f.Input, name)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	image := autoretouch.Image{Name: name, ContentType: "image/jpeg", Size: info.Size()}
	hash, err := f.api.Upload(ctx, image, func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		return err
	}
	id, err := f.api.Create(ctx, autoretouch.NewExecution{Workflow: sandbox.CatalogueJPEG, Name: name, ContentHash: hash, ContentType: image.ContentType})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting[id] = name
	return nil
}

// poll lists executions, newest first, until n were completed and handed on.
func (f *bare) poll(ctx context.Context, n int) error {
	for n > 0 {
		time.Sleep(floorPoll)
		f.mu.Lock()
		missing := len(f.waiting)
		f.mu.Unlock()
		for offset := 0; missing > 0; offset += 50 {
			page, err := f.api.Executions(ctx, sandbox.CatalogueJPEG, 50, offset)
			if err != nil {
				return err
			}
			for _, e := range page.Entries {
				if !f.take(e) {
					continue
				}
				missing--
				if e.Status == autoretouch.Completed {
					f.done <- e
					n--
				}
			}
			if offset+50 >= page.Total {
				break
			}
		}
	}
	return nil
}

// take tells whether the execution is waited for, and stops waiting for one that is completed.
func (f *bare) take(e autoretouch.Execution) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.waiting[e.ID]
	if ok && e.Status == autoretouch.Completed {
		delete(f.waiting, e.ID)
	}
	return ok
}

func (f *bare) download(ctx context.Context) {
	for e := range f.done {
		if err := f.fetch(ctx, e); err != nil {
			fmt.Fprintln(os.Stderr, e.ResultName, err)
			os.Exit(1)
		}
	}
}

func (f *bare) fetch(ctx context.Context, e autoretouch.Execution) error {
	file, err := os.Create(filepath.Join(f.Output, filepath.Base(e.ResultName)))
	if err != nil {
		return err
	}
	if _, err := f.api.Download(ctx, e.ResultPath, file); err != nil {
		return err
	}
	return file.Close()
}
