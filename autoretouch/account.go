package autoretouch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer = 8 << 20 // bytes of JSON
	maxLine   = 1 << 10 // bytes of an id, a hash, a number
	pageSize  = 50      // entries; the largest limit is unstated
	maxPages  = 200
)

// Organization is one that the account may work for.
type Organization struct{ ID, Name string }

// Workflow is a recipe of an organization.
type Workflow struct {
	ID, Version, Name string
	Date              time.Time
	ExecutionPrice    int // credits
}

// Organizations are all that the account may work for.
func (c *Client) Organizations(ctx context.Context) ([]Organization, error) {
	return all(ctx, c, request{op: "list organizations", path: "/v1/organization"}, organizationOf)
}

// Organization is one of them. Its 404 is Config.
func (c *Client) Organization(ctx context.Context, id string) (Organization, error) {
	o, err := c.one(ctx, "organization", id)
	return organizationOf(o), err
}

// Workflows are all of the client's organization.
func (c *Client) Workflows(ctx context.Context) ([]Workflow, error) {
	return all(ctx, c, request{op: "list workflows", path: "/v1/workflow"}, workflowOf)
}

// Workflow is one of them, in its latest version. Its 404 is Config.
func (c *Client) Workflow(ctx context.Context, id string) (Workflow, error) {
	o, err := c.one(ctx, "workflow", id)
	return workflowOf(o), err
}

// Reach finds out, without a login, whether the API answers. Skew is known after it.
func (c *Client) Reach(ctx context.Context) error {
	r := request{op: "reach the API", method: http.MethodGet, path: "/health"}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, noAnswer(c.timeout))
	defer cancel()
	resp, err := c.send(ctx, r, "")
	if err != nil && status(err)/100 == 4 { // it is there
		return nil
	}
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	if isPage(resp) {
		return r.unreadable("the API's")
	}
	return nil
}

// Balance is the organization's credits; 1 credit is about 1 euro cent.
func (c *Client) Balance(ctx context.Context) (int, error) {
	r := request{op: "get balance", method: http.MethodGet, path: "/v1/organization/balance", missing: Config}
	b, err := c.ask(ctx, r, maxLine)
	if err != nil {
		return 0, err
	}
	n, ok := parseInteger(strings.Trim(string(b), "\" \t\r\n"))
	if !ok {
		return 0, r.unreadable("a number")
	}
	return n, nil
}

func organizationOf(o object) Organization {
	return Organization{ID: o.text("id"), Name: o.text("name")}
}

func workflowOf(o object) Workflow {
	return Workflow{
		ID: o.text("id"), Version: o.text("version"), Name: o.text("name"),
		Date: o.time("date"), ExecutionPrice: o.integer("executionPrice"),
	}
}

// one reads the thing with the id.
func (c *Client) one(ctx context.Context, kind, id string) (object, error) {
	r := request{op: "get " + kind, path: "/v1/" + kind + "/" + url.PathEscape(id)}
	if !validID(id) {
		return nil, &Error{Class: Config, Op: r.op, Err: fmt.Errorf("%q is not an id", id), unhandled: true}
	}
	o, err := c.get(ctx, r)
	if err == nil && o.text("id") == "" {
		return nil, r.unreadable("a " + kind)
	}
	return o, err
}

// get reads what the configuration names: 403 and 404 are Config. Any other refusal may be a proxy's.
func (c *Client) get(ctx context.Context, r request) (object, error) {
	r.method, r.missing = http.MethodGet, Config
	return c.object(ctx, r)
}

func (c *Client) object(ctx context.Context, r request) (object, error) {
	b, err := c.ask(ctx, r, maxAnswer)
	if err != nil {
		return nil, err
	}
	var o object
	if json.Unmarshal(b, &o) != nil || o == nil {
		return nil, r.unreadable("a JSON object")
	}
	return o, nil
}

// all reads every page of a list. It ends at a page that brings nothing new, whatever the total says.
func all[T any](ctx context.Context, c *Client, r request, of func(object) T) ([]T, error) {
	var list []T
	seen := map[string]bool{}
	for range maxPages {
		r.query = page(pageSize, len(seen))
		o, err := c.get(ctx, r)
		if err != nil {
			return nil, err
		}
		before := len(list)
		for _, entry := range o.entries() {
			if id := entry.text("id"); id != "" && !seen[id] {
				seen[id] = true
				list = append(list, of(entry))
			}
		}
		if len(list) == before || len(list) >= o.integer("total") && o.text("total") != "" {
			break
		}
	}
	return list, nil
}

func page(limit, offset int) url.Values {
	return url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
}
