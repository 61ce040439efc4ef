package sandbox_test

import (
	"strings"
	"testing"

	"hotfolder/sandbox"
)

func TestAccount(t *testing.T) {
	_, c := open(t, sandbox.Options{Credits: 77})
	type list struct {
		Entries []struct {
			ID, Name, Version string
			ExecutionPrice    int
			Members           []any
		}
		Total int
	}
	for _, tt := range []struct {
		name, path string
		first      string // id of the first entry
		entries    int
		total      int
	}{
		{"organizations", "/v1/organization?limit=50&offset=0", sandbox.Organization, 2, 2},
		{"the second", "/v1/organization?limit=1&offset=1", sandbox.OtherOrganization, 1, 2},
		{"past the end", "/v1/organization?offset=9", "", 0, 2},
		{"workflows", org("/v1/workflow?limit=50&offset=0"), sandbox.PackshotWhite, 4, 4},
		{"two workflows", org("/v1/workflow?limit=2&offset=1"), sandbox.CatalogueJPEG, 2, 4},
		{"the other's workflows", "/v1/workflow?organization=" + sandbox.OtherOrganization, "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got list
			a := c.do("GET", tt.path, nil).want(t, 200)
			a.decode(t, &got)
			if len(got.Entries) != tt.entries || got.Total != tt.total || !strings.Contains(a.body, `"entries":[`) {
				t.Fatalf("%s", a.body)
			}
			if tt.entries > 0 && got.Entries[0].ID != tt.first {
				t.Errorf("first is %s", got.Entries[0].ID)
			}
		})
	}
	for _, path := range []string{"/v1/organization/" + sandbox.Organization, "/v1/organization/" + sandbox.Organization + "/"} {
		if a := c.do("GET", path, nil).want(t, 200); !strings.Contains(a.body, "Sandbox Studio") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := c.get("/v1/workflow/"+sandbox.FastCheck).want(t, 200); !strings.Contains(a.body, `"executionPrice":1,`) && !strings.Contains(a.body, `"executionPrice":1}`) {
		t.Errorf("one workflow: %s", a.body)
	}
	if a := c.get("/v1/organization/balance").want(t, 200); a.body != "77" {
		t.Errorf("balance %q", a.body)
	}
	if a := c.do("GET", "/v1/organization/balance?organization="+sandbox.OtherOrganization, nil).want(t, 200); a.body != "0" {
		t.Errorf("the other's balance %q", a.body)
	}
	c.do("GET", "/health", nil, "Authorization", "").want(t, 200)
}

// refused is the shape of all refusals (API.md, Errors).
type refused struct {
	Timestamp, Error, Message, Path string
	Status                          int
}

func TestRefusals(t *testing.T) {
	_, c := open(t, sandbox.Options{})
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		status             int
	}{
		{"no token", "GET", org("/v1/workflow"), []string{"Authorization", ""}, 401},
		{"another scheme", "GET", org("/v1/workflow"), []string{"Authorization", "Basic " + c.token}, 401},
		{"unknown token", "GET", org("/v1/workflow"), []string{"Authorization", "Bearer x"}, 401},
		{"no user agent", "GET", org("/v1/workflow"), []string{"User-Agent", ""}, 400},
		{"no organization", "GET", "/v1/workflow", nil, 400},
		{"foreign organization", "GET", "/v1/workflow?organization=x", nil, 403},
		{"unknown organization", "GET", "/v1/organization/x", nil, 404},
		{"unknown workflow", "GET", org("/v1/workflow/x"), nil, 404},
		{"workflow of the other", "GET", "/v1/workflow/" + sandbox.FastCheck + "?organization=" + sandbox.OtherOrganization, nil, 404},
		{"limit no number", "GET", org("/v1/workflow?limit=all"), nil, 400},
		{"limit 0", "GET", org("/v1/workflow?limit=0"), nil, 400},
		{"offset below 0", "GET", org("/v1/organization?offset=-1"), nil, 400},
		{"unknown path", "GET", "/v1/nothing", nil, 404},
		{"the root", "GET", "/", nil, 404},
		{"wrong method", "DELETE", org("/v1/workflow"), nil, 405},
		{"unknown execution", "GET", org("/v1/workflow/execution/x"), nil, 404},
		{"list of an unknown workflow", "GET", org("/v1/workflow/execution?workflow=x"), nil, 404},
		{"retry of an unknown execution", "POST", org("/v1/workflow/execution/x/retry"), nil, 404},
		{"unknown image", "GET", org("/v1/image/" + strings.Repeat("0", 64) + "/a.jpg"), nil, 404},
		{"upload that is no form", "POST", org("/upload"), nil, 400},
		{"create without workflow", "POST", org("/v1/workflow/execution/create"), nil, 400},
		{"create with an unknown workflow", "POST", creating("x"), nil, 404},
		{"create with an unknown version", "POST", creating(sandbox.FastCheck) + "&version=x", nil, 404},
		{"create without a content type", "POST", creating(sandbox.FastCheck), nil, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got refused
			a := c.do(tt.method, tt.path, nil, tt.headers...).want(t, tt.status)
			a.decode(t, &got)
			path, _, _ := strings.Cut(tt.path, "?")
			if got.Status != tt.status || got.Path != path || got.Error == "" || got.Message == "" || got.Timestamp == "" {
				t.Errorf("not the documented shape: %s", a.body)
			}
		})
	}
	c.do("HEAD", org("/upload"), nil).want(t, 400)
	c.do("HEAD", org("/upload?contentHash=ABC"), nil).want(t, 400)
	c.do("HEAD", org("/upload?contentHash="+strings.Repeat("0", 64)), nil).want(t, 404)
}
