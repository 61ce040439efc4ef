// Package photos holds small, freely licensed photographs for the demo and for tests: JPEG, PNG, TIFF and WebP, in
// subfolders. LICENCES.md says where each comes from.
package photos

import "embed"

// FS holds the photographs, and nothing else.
//
//go:embed *.jpg *.png */*.jpg */*.tif */*.webp
var FS embed.FS
