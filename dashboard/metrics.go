package dashboard

import (
	"context"
	"net/http"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hotfolder/agent"
	"hotfolder/store"
)

// metrics serves the agent's status as Prometheus reads it.
func metrics(a Agent) http.Handler {
	all := prometheus.NewRegistry()
	all.MustRegister(collector{a}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{})
}

// collector asks for the status whenever Prometheus does.
type collector struct{ agent Agent }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hotfolder_"+name, help, labels, nil)
}

var (
	jobs      = describe("jobs", "Jobs in the ledger.", "folder", "state")
	hour      = describe("delivered_last_hour", "Results delivered in the last hour.", "folder")
	delivered = describe("delivered_total", "Results delivered since the agent was started.")
	failed    = describe("failed_total", "Pictures that failed since the agent was started.")
	trouble   = describe("trouble", "1: this is wrong now. The codes that are not wrong stand without a folder, as 0.", "code", "severity", "folder")
	balance   = describe("credits_balance", "Credits of the account; absent while not known.")
	today     = describe("credits_today", "Credits spent since local midnight.")
	build     = describe("build_info", "Always 1.", "version", "goversion")
)

// Describe sends nothing: which folders there are is known to the agent.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends what the status says.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s, err := c.agent.Status(context.Background())
	if err != nil {
		to <- prometheus.NewInvalidMetric(jobs, err)
		return
	}
	send := func(d *prometheus.Desc, kind prometheus.ValueType, n int, labels ...string) {
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD") // anything else spoils the whole answer
		}
		to <- prometheus.MustNewConstMetric(d, kind, float64(n), labels...)
	}
	for _, f := range s.Folders {
		for _, state := range store.States {
			send(jobs, prometheus.GaugeValue, f.Counts[state], f.Name, string(state))
		}
		send(hour, prometheus.GaugeValue, f.PerHour, f.Name)
	}
	send(delivered, prometheus.CounterValue, s.Agent.Delivered)
	send(failed, prometheus.CounterValue, s.Agent.Failed)
	wrong := map[agent.Code]bool{}
	for _, t := range s.Troubles {
		wrong[t.Code] = true
		send(trouble, prometheus.GaugeValue, 1, string(t.Code), string(t.Severity), t.Folder)
	}
	for code, severity := range agent.Codes() {
		if !wrong[code] {
			send(trouble, prometheus.GaugeValue, 0, string(code), string(severity), "")
		}
	}
	if s.Account.Balance != nil {
		send(balance, prometheus.GaugeValue, *s.Account.Balance)
	}
	send(today, prometheus.GaugeValue, s.Account.CreditsToday)
	send(build, prometheus.GaugeValue, 1, s.Agent.Version, runtime.Version())
}
