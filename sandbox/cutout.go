package sandbox

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// isolate clears the background of a picture and, if the recipe says so, crops it to the subject with a margin. What is
// background is found from the colours along the edges.
func isolate(img *image.RGBA, r recipe) *image.RGBA {
	m := findSubject(img)
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride:][:4*img.Rect.Dx()]
		for x := 0; x < len(row); x += 4 {
			p := row[x : x+4 : x+4]
			keep := m.opacity(x/4, y, p)
			if r.background == white {
				blend(p, keep, 255)
			} else {
				fade(p, keep)
			}
		}
	}
	if !r.crop {
		return img
	}
	return crop(img, m.box())
}

// blend mixes an opaque pixel with a grey; keep is 0 to 1.
func blend(p []uint8, keep float32, grey float32) {
	for i := range 3 {
		p[i] = uint8(float32(p[i])*keep + grey*(1-keep) + 0.5)
	}
}

// fade makes a premultiplied pixel more transparent.
func fade(p []uint8, keep float32) {
	for i := range p {
		p[i] = uint8(float32(p[i])*keep + 0.5)
	}
}

// crop cuts out a box with a margin around it, on white where the picture ends before.
func crop(img *image.RGBA, box image.Rectangle) *image.RGBA {
	box = box.Inset(-max(box.Dx(), box.Dy()) * 6 / 100)
	out := image.NewRGBA(image.Rectangle{Max: box.Size()})
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, img.Rect.Sub(box.Min), img, image.Point{}, draw.Over)
	return out
}

// maskSide is the longer side of the small picture in which the subject is looked for.
const maskSide = 320

// mask says which part of a picture is its subject, roughly; opacity makes it exact with the pixels' own colours.
type mask struct {
	w, h       int
	subject    []float32 // 0 background to 1 subject, soft at the edges
	background []rgb     // the colours of the background; none where they are not plain
	limit      float32   // the largest distance from them that is background
	full       image.Point
}

type rgb [3]float32

// findSubject makes the mask: what the background's colours do not reach from the edges. Where they reach into the
// middle, or do not fill the edges, the background is not plain, and the mask is a vignette instead.
func findSubject(img *image.RGBA) *mask {
	full := img.Rect.Size()
	scale := min(1, maskSide/float64(max(full.X, full.Y)))
	m := &mask{w: max(1, int(float64(full.X)*scale)), h: max(1, int(float64(full.Y)*scale)), full: full}
	small := image.NewRGBA(image.Rect(0, 0, m.w, m.h))
	draw.ApproxBiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
	pixels := make([]rgb, m.w*m.h)
	for i := range pixels {
		pixels[i] = toRGB(small.Pix[4*i:])
	}
	m.subject = make([]float32, len(pixels))
	m.background, m.limit = colours(m.edge(pixels))
	m.flood(pixels)
	m.dropSpecks()
	if !m.plausible() {
		m.vignette()
		return m
	}
	m.soften()
	m.soften()
	return m
}

func toRGB(p []uint8) rgb { return rgb{float32(p[0]), float32(p[1]), float32(p[2])} }

func distance(a, b rgb) float32 {
	dr, dg, db := a[0]-b[0], a[1]-b[1], a[2]-b[2]
	return float32(math.Sqrt(float64(dr*dr + dg*dg + db*db)))
}

// nearest returns the index of the nearest colour and its distance.
func nearest(p rgb, all []rgb) (int, float32) {
	best, least := 0, float32(math.MaxFloat32)
	for i, c := range all {
		if d := distance(p, c); d < least {
			best, least = i, d
		}
	}
	return best, least
}

// edge returns the pixels along the top, left and right edges: a subject that stands on something or is cut off is so at
// the bottom.
func (m *mask) edge(pixels []rgb) []rgb {
	var edge []rgb
	depth := max(1, min(m.w, m.h)/40)
	for y := range m.h {
		for x := range m.w {
			if y < depth || x < depth || x >= m.w-depth {
				edge = append(edge, pixels[y*m.w+x])
			}
		}
	}
	return edge
}

// colours finds the few colours that the edge is made of, and how far from them it strays. It uses k-means, from fixed
// starting points so that the result is always the same.
func colours(edge []rgb) (common []rgb, limit float32) {
	const k = 6
	var centres [k]rgb
	for i := range centres {
		centres[i] = edge[i*(len(edge)-1)/(k-1)]
	}
	var counts [k]int
	for range 10 {
		var sums [k]rgb
		counts = [k]int{}
		for _, p := range edge {
			i, _ := nearest(p, centres[:])
			counts[i]++
			for c := range p {
				sums[i][c] += p[c]
			}
		}
		for i := range centres {
			for c := range sums[i] {
				if counts[i] > 0 {
					centres[i][c] = sums[i][c] / float32(counts[i])
				}
			}
		}
	}
	for i, c := range centres {
		if counts[i]*20 >= len(edge) { // a rarer colour is of something that touches the edge
			common = append(common, c)
		}
	}
	var sum, squares float32
	for _, p := range edge {
		_, d := nearest(p, common)
		sum += d
		squares += d * d
	}
	mean := sum / float32(len(edge))
	deviation := math.Sqrt(float64(max(0, squares/float32(len(edge))-mean*mean)))
	return common, max(mean+2.5*float32(deviation), 14)
}

// flood makes subject what cannot be reached from the edges through background colours.
func (m *mask) flood(pixels []rgb) {
	for i := range m.subject {
		m.subject[i] = 1
	}
	var stack []int
	visit := func(i int) {
		if m.subject[i] == 0 {
			return
		}
		if _, d := nearest(pixels[i], m.background); d <= m.limit {
			m.subject[i] = 0
			stack = append(stack, i)
		}
	}
	for i := range m.subject {
		if x, y := i%m.w, i/m.w; x == 0 || y == 0 || x == m.w-1 || y == m.h-1 {
			visit(i)
		}
	}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, next := range m.neighbours(i) {
			visit(next)
		}
	}
}

// The most by which the colours of a plain background differ from each other, as they do in a gradient or a shadow, and
// by which its pixels stray from them.
const (
	plainSpread = 180
	plainLimit  = 48
)

// plausible tells whether the background is plain, the middle mostly subject, and the rim, but for the lower, mostly background.
func (m *mask) plausible() bool {
	for _, c := range m.background {
		if distance(c, m.background[0]) > plainSpread || m.limit > plainLimit {
			return false
		}
	}
	var middle, inMiddle, rim, inRim float32
	for i, v := range m.subject {
		switch d := m.fromMiddle(i); {
		case d < 0.3:
			middle++
			inMiddle += v
		case d > 0.95 && i/m.w < m.h*3/4:
			rim++
			inRim += v
		}
	}
	return inMiddle >= 0.85*middle && inRim <= 0.15*rim
}

// fromMiddle is 0 in the middle of the picture and 1 where a rounded oblong in it touches the edges.
func (m *mask) fromMiddle(i int) float64 {
	x := 2*(float64(i%m.w)+0.5)/float64(m.w) - 1
	y := 2*(float64(i/m.w)+0.5)/float64(m.h) - 1
	return math.Sqrt(math.Sqrt(x*x*x*x + y*y*y*y))
}

// vignette makes the mask a soft rounded oblong.
func (m *mask) vignette() {
	m.background = nil
	for i := range m.subject {
		m.subject[i] = float32(1-m.fromMiddle(i)) / 0.2
	}
}

// dropSpecks clears the pieces of the subject that are much smaller than its largest.
func (m *mask) dropSpecks() {
	piece := make([]int, len(m.subject)) // number of the piece; 0: none yet
	var sizes = []int{0}
	var stack []int
	for i, v := range m.subject {
		if v == 0 || piece[i] != 0 {
			continue
		}
		number, size := len(sizes), 0
		piece[i] = number
		for stack = append(stack, i); len(stack) > 0; size++ {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, next := range m.neighbours(at) {
				if m.subject[next] != 0 && piece[next] == 0 {
					piece[next] = number
					stack = append(stack, next)
				}
			}
		}
		sizes = append(sizes, size)
	}
	largest := 0
	for _, size := range sizes {
		largest = max(largest, size)
	}
	for i, number := range piece {
		if sizes[number]*12 < largest {
			m.subject[i] = 0
		}
	}
}

// neighbours returns the pixels beside, above and below; at the picture's edge the pixel itself instead.
func (m *mask) neighbours(i int) [4]int {
	n := [4]int{i, i, i, i}
	if i%m.w > 0 {
		n[0] = i - 1
	}
	if i%m.w < m.w-1 {
		n[1] = i + 1
	}
	if i >= m.w {
		n[2] = i - m.w
	}
	if i < len(m.subject)-m.w {
		n[3] = i + m.w
	}
	return n
}

// soften averages each pixel of the mask with its neighbours.
func (m *mask) soften() {
	soft := make([]float32, len(m.subject))
	for i, v := range m.subject {
		sum := v
		for _, n := range m.neighbours(i) {
			sum += m.subject[n]
		}
		soft[i] = sum / 5
	}
	m.subject = soft
}

// opacity tells how much of the subject is in a pixel of the full picture: as the mask says, and along its edges as
// far as the pixel's colour is from the background's.
func (m *mask) opacity(x, y int, pixel []uint8) float32 {
	v := m.at((float32(x)+0.5)*float32(m.w)/float32(m.full.X)-0.5, (float32(y)+0.5)*float32(m.h)/float32(m.full.Y)-0.5)
	if v < 0.02 || v > 0.98 || m.background == nil {
		return smooth(v)
	}
	_, d := nearest(toRGB(pixel), m.background)
	return smooth(v) * 0.5 * (1 + smooth(d/(1.5*m.limit)))
}

// at reads the mask between its pixels.
func (m *mask) at(x, y float32) float32 {
	x, y = min(max(x, 0), float32(m.w-1)), min(max(y, 0), float32(m.h-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, m.w-1), min(y0+1, m.h-1)
	fx, fy := x-float32(x0), y-float32(y0)
	top := m.subject[y0*m.w+x0]*(1-fx) + m.subject[y0*m.w+x1]*fx
	bottom := m.subject[y1*m.w+x0]*(1-fx) + m.subject[y1*m.w+x1]*fx
	return top*(1-fy) + bottom*fy
}

// smooth goes from 0 to 1 without corners.
func smooth(v float32) float32 {
	v = min(max(v, 0), 1)
	return v * v * (3 - 2*v)
}

// box is the rectangle around the subject in the full picture.
func (m *mask) box() image.Rectangle {
	var box image.Rectangle
	for i, v := range m.subject {
		if v > 0.5 {
			box = box.Union(image.Rect(i%m.w, i/m.w, i%m.w+1, i/m.w+1))
		}
	}
	return image.Rect(box.Min.X*m.full.X/m.w, box.Min.Y*m.full.Y/m.h, box.Max.X*m.full.X/m.w, box.Max.Y*m.full.Y/m.h)
}
