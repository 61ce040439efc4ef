package cli

import (
	"strings"

	"rsc.io/qr"
)

const (
	quietZone = 2  // modules around a QR code; two are enough for a telephone
	widestQR  = 80 // columns
)

// qrCode draws a text for a camera, two rows of modules a line; "" where it would be too wide. With colours it is black on white
// whatever the terminal's are; without, the terminal is taken for a dark one.
func qrCode(text string, colours bool) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quietZone > widestQR {
		return ""
	}
	light := func(x, y int) bool { return !code.Black(x, y) } // outside of the code, too
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString("  ")
		if colours {
			b.WriteString("\x1b[38;5;231;48;5;16m")
		}
		for x := -quietZone; x < code.Size+quietZone; x++ {
			below := light(x, y+1) && y+1 < code.Size+quietZone
			b.WriteString(halfBlocks[light(x, y)][below])
		}
		if colours {
			b.WriteString("\x1b[0m")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// halfBlocks are drawn light: by whether the upper and the lower module are.
var halfBlocks = map[bool]map[bool]string{
	true:  {true: "█", false: "▀"},
	false: {true: "▄", false: " "},
}
