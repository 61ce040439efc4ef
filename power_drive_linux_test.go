package main_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
)

// supply is the power of some drives. It begins off.
type supply struct {
	mu     sync.Mutex
	off    chan struct{} // closed when it is; nil before it is turned on
	drives []*drive
	lost   string // by the last cut
}

// turnOn returns a channel that is closed when the power is off again.
func (s *supply) turnOn() (off <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off = make(chan struct{})
	return s.off
}

func (s *supply) isOn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isOnLocked()
}

func (s *supply) isOnLocked() bool {
	select {
	case <-s.off:
		return false
	default:
		return s.off != nil
	}
}

// cut turns the power off. Of what the drives have not flushed, each sector is kept with a chance.
func (s *supply) cut(random *rand.Rand, kept float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isOnLocked() {
		return
	}
	lost, all := 0, 0
	for _, d := range s.drives {
		l, a := d.loseLocked(random, kept)
		lost, all = lost+l, all+a
	}
	s.lost = fmt.Sprintf("%d of %d sectors lost", lost, all)
	close(s.off)
}

// drive is a disk with a write cache, which holds what was written since the last flush. It is served as a block device of the network
// (NBD, which QEMU speaks).
type drive struct {
	power  *supply
	now    []byte   // as it is read
	safe   []byte   // as it was at the last flush
	cached []extent // written since
}

type extent struct{ begin, end int }

const sector = 512

func (d *drive) flushLocked() {
	for _, e := range d.cached {
		copy(d.safe[e.begin:e.end], d.now[e.begin:e.end])
	}
	d.cached = d.cached[:0]
}

// loseLocked empties the cache: each sector is kept with a chance. It returns how many of how many are lost.
func (d *drive) loseLocked(random *rand.Rand, kept float64) (lost, all int) {
	for _, e := range d.cached {
		for at := e.begin; at < e.end; at += sector {
			all++
			end := min(at+sector, e.end)
			if random.Float64() < kept {
				copy(d.safe[at:end], d.now[at:end])
			} else {
				lost++
			}
		}
	}
	for _, e := range d.cached {
		copy(d.now[e.begin:e.end], d.safe[e.begin:e.end])
	}
	d.cached = d.cached[:0]
	return lost, all
}

// The numbers of NBD: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
const (
	nbdMagic       = 0x4e42444d41474943
	nbdOption      = 0x49484156454f5054
	nbdOptionReply = 0x3e889045565a9
	nbdRequest     = 0x25609513
	nbdReply       = 0x67446698

	nbdFixedNewstyle, nbdNoZeroes    = 1, 2
	nbdAbort, nbdGo                  = 2, 7
	nbdAck, nbdInfo, nbdUnsupported  = 1, 3, 1<<31 + 1
	nbdFlags                         = 1 | nbdCanFlush | nbdCanFUA
	nbdCanFlush, nbdCanFUA           = 4, 8
	nbdRead, nbdWrite, nbdFlush      = 0, 1, 3
	nbdDisconnect, nbdFUA, nbdFailed = 2, 1, 5 // EIO
)

var errNoPower = errors.New("the power is off")

// serve serves one connection until it ends or the power fails.
func (d *drive) serve(conn net.Conn) error {
	in := bufio.NewReader(conn)
	if err := d.greet(in, conn); err != nil {
		return err
	}
	for {
		var request struct {
			Magic          uint32
			Flags, Type    uint16
			Cookie, Offset uint64
			Length         uint32
		}
		if err := binary.Read(in, binary.BigEndian, &request); err != nil {
			return err
		}
		if request.Magic != nbdRequest {
			return fmt.Errorf("%x is no request", request.Magic)
		}
		begin, end := int(request.Offset), int(request.Offset)+int(request.Length)
		if request.Type == nbdDisconnect {
			return nil
		}
		if end > len(d.now) {
			return fmt.Errorf("beyond the end: %+v", request)
		}
		var data []byte
		if request.Type == nbdWrite {
			data = make([]byte, request.Length)
			if _, err := io.ReadFull(in, data); err != nil {
				return err
			}
		}
		reply := binary.BigEndian.AppendUint32(nil, nbdReply)
		reply = binary.BigEndian.AppendUint32(reply, 0)
		reply = binary.BigEndian.AppendUint64(reply, request.Cookie)
		d.power.mu.Lock()
		on := d.power.isOnLocked()
		if on {
			switch request.Type {
			case nbdRead:
				reply = append(reply, d.now[begin:end]...)
			case nbdWrite:
				copy(d.now[begin:end], data)
				if request.Flags&nbdFUA != 0 {
					copy(d.safe[begin:end], data)
				} else {
					d.cached = append(d.cached, extent{begin, end})
				}
			case nbdFlush:
				d.flushLocked()
			default:
				binary.BigEndian.PutUint32(reply[4:], nbdFailed)
			}
		}
		d.power.mu.Unlock()
		if !on {
			return errNoPower
		}
		if _, err := conn.Write(reply); err != nil {
			return err
		}
	}
}

// greet agrees with a client on what it gets.
func (d *drive) greet(in io.Reader, out io.Writer) error {
	hello := binary.BigEndian.AppendUint64(nil, nbdMagic)
	hello = binary.BigEndian.AppendUint64(hello, nbdOption)
	hello = binary.BigEndian.AppendUint16(hello, nbdFixedNewstyle|nbdNoZeroes)
	if _, err := out.Write(hello); err != nil {
		return err
	}
	var flags uint32
	if err := binary.Read(in, binary.BigEndian, &flags); err != nil {
		return err
	}
	for {
		var option struct {
			Magic        uint64
			Kind, Length uint32
		}
		if err := binary.Read(in, binary.BigEndian, &option); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, in, int64(option.Length)); err != nil { // the name of what it wants: there is but one
			return err
		}
		answer := func(kind uint32, data []byte) error {
			reply := binary.BigEndian.AppendUint64(nil, nbdOptionReply)
			for _, n := range []uint32{option.Kind, kind, uint32(len(data))} {
				reply = binary.BigEndian.AppendUint32(reply, n)
			}
			_, err := out.Write(append(reply, data...))
			return err
		}
		switch option.Kind {
		case nbdGo:
			info := binary.BigEndian.AppendUint16(nil, 0) // of the export
			info = binary.BigEndian.AppendUint64(info, uint64(len(d.now)))
			info = binary.BigEndian.AppendUint16(info, nbdFlags)
			return errors.Join(answer(nbdInfo, info), answer(nbdAck, nil))
		case nbdAbort:
			return errors.Join(answer(nbdAck, nil), io.EOF)
		default:
			if err := answer(nbdUnsupported, nil); err != nil {
				return err
			}
		}
	}
}
