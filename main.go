// Hotfolder sends finished pictures from watched folders through AutoRetouch and brings the results back.
package main

import (
	"os"

	"hotfolder/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
