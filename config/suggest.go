package config

import (
	"fmt"
	"strings"
)

// suggest names the word in known that is nearest to the one that was written or, if none is near, all of them.
func suggest(written string, known []string) string {
	best, nearest := "", 3
	for _, word := range known {
		if n := distance(strings.ToLower(short(written)), word); n < nearest && 2*n < len(word) {
			best, nearest = word, n
		}
	}
	if best == "" {
		return "known here: " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is the Levenshtein distance of a and b: how many letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
