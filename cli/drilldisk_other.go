//go:build !linux

package cli

import "errors"

func cannotMount() string { return "needs Linux, to mount a small disk" }

func mountSmallDisk(string, int64) error  { return errors.ErrUnsupported }
func resizeSmallDisk(string, int64) error { return errors.ErrUnsupported }
func unmount(string) error                { return nil }
