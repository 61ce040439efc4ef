package sandbox

import (
	"net/http"
	"slices"
	"strconv"
)

// What is in the account. Organization has the workflows and the credits; OtherOrganization has neither.
const (
	Organization      = "9f5c2d7b-8b21-4a33-9e5f-4e1b7a01c9d4"
	OtherOrganization = "1c7e0a52-5d0c-4c5e-9a44-6f2f0f6f8c11"

	PackshotWhite  = "a0f0b604-85c0-45fd-85cf-4428bb3941ba" // background cleaned to white, cropped, levelled; PNG
	CatalogueJPEG  = "3d1f8e0c-77a4-4a0b-b1c9-0e6a5f2d9c27" // levelled, at most 1600 pixels; JPEG
	TransparentCut = "c2b9a7e4-1f63-4f2d-8f0a-5b8d3e71a690" // the subject alone, transparent around it; PNG
	FastCheck      = "e58d4b16-0a9c-4d37-93e2-7c1f6b04d5a8" // small and cheap; JPEG

	userID = "auth0|5f0c1a9be4b0c8001d1a2b3c"
)

type organization struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Members []member `json:"members"`
}

type member struct {
	UserID string `json:"userId"`
	Role   string `json:"role"`
}

var organizations = []organization{
	{Organization, "Sandbox Studio", "6f0b4c1e-2f7a-4f9a-8a3e-1d2c3b4a5968", []member{{userID, "OWNER"}}},
	{OtherOrganization, "Sandbox Archive", "8a1d7e5c-3b60-4c0e-9f57-0b9c8d7e6f51", []member{{userID, "MEMBER"}}},
}

// workflow is what the list shows of it, and the recipe of its image work.
type workflow struct {
	ID         string      `json:"id"`
	Version    string      `json:"version"`
	Name       string      `json:"name"`
	Date       string      `json:"date"`
	Author     string      `json:"author"`
	Components []component `json:"workflowComponents"`
	Price      int         `json:"executionPrice"`
	recipe     recipe
}

type component struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

var workflows = []workflow{
	{
		ID: PackshotWhite, Version: "5b8e1f60-94c2-4d7a-a1b3-c4d5e6f70812", Name: "Packshot white", Price: 10,
		Date: "2026-03-02T09:15:00.000Z", Author: "Sandbox Studio",
		Components: []component{{"1", "Background removal"}, {"2", "Crop"}, {"3", "Levels"}, {"4", "PNG export"}},
		recipe:     recipe{background: white, crop: true, longSide: 4096, png: true},
	},
	{
		ID: CatalogueJPEG, Version: "0d4c3b2a-1908-4f7e-8d6c-5b4a39281706", Name: "Catalogue JPEG", Price: 5,
		Date: "2026-03-02T09:20:00.000Z", Author: "Sandbox Studio",
		Components: []component{{"1", "Levels"}, {"2", "Resize"}, {"3", "JPEG export"}},
		recipe:     recipe{longSide: 1600},
	},
	{
		ID: TransparentCut, Version: "7c6d5e4f-3021-4b1a-9c8d-7e6f50413223", Name: "Transparent cut-out", Price: 12,
		Date: "2026-04-17T14:00:00.000Z", Author: "Sandbox Studio",
		Components: []component{{"1", "Background removal"}, {"2", "Levels"}, {"3", "PNG export"}},
		recipe:     recipe{background: transparent, longSide: 4096, png: true},
	},
	{
		ID: FastCheck, Version: "f1e2d3c4-b5a6-4978-8695-a4b3c2d1e0f9", Name: "Fast check", Price: 1,
		Date: "2026-05-30T08:45:00.000Z", Author: "Sandbox Studio",
		Components: []component{{"1", "Levels"}, {"2", "Resize"}},
		recipe:     recipe{longSide: 512},
	},
}

// member serves only calls of loggedIn that name an organization of the account.
func (s *Server) member(next endpoint) endpoint {
	return s.loggedIn(func(w http.ResponseWriter, r *http.Request) error {
		switch org := r.URL.Query().Get("organization"); {
		case org == "":
			return refusef(http.StatusBadRequest, "Required parameter 'organization' is not present")
		case !slices.ContainsFunc(organizations, func(o organization) bool { return o.ID == org }):
			return refusef(http.StatusForbidden, "You are not a member of the organization %s", org)
		}
		return next(w, r)
	})
}

func (s *Server) listOrganizations(w http.ResponseWriter, r *http.Request) error {
	limit, offset, err := window(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, cut(organizations, limit, offset))
}

func (s *Server) oneOrganization(w http.ResponseWriter, r *http.Request) error {
	for _, o := range organizations {
		if o.ID == r.PathValue("id") {
			return writeJSON(w, http.StatusOK, o)
		}
	}
	return refusef(http.StatusNotFound, "Organization not found")
}

func (s *Server) showBalance(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	n := s.balance[r.URL.Query().Get("organization")]
	s.mu.Unlock()
	return writeBody(w, http.StatusOK, "application/json", []byte(strconv.Itoa(n)))
}

// SetCredits sets the balance of Organization.
func (s *Server) SetCredits(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.balance[Organization] = n
}

func (s *Server) listWorkflows(w http.ResponseWriter, r *http.Request) error {
	limit, offset, err := window(r)
	if err != nil {
		return err
	}
	var own []workflow
	if r.URL.Query().Get("organization") == Organization {
		own = workflows
	}
	return writeJSON(w, http.StatusOK, cut(append([]workflow{}, own...), limit, offset))
}

func (s *Server) oneWorkflow(w http.ResponseWriter, r *http.Request) error {
	found, err := findWorkflow(r.URL.Query().Get("organization"), r.PathValue("id"), "")
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// findWorkflow returns a workflow of the organization; an empty version is the latest one.
func findWorkflow(org, id, version string) (workflow, error) {
	for _, f := range workflows {
		if org != Organization || f.ID != id {
			continue
		}
		if version != "" && version != f.Version {
			return workflow{}, refusef(http.StatusNotFound, "Workflow version not found")
		}
		return f, nil
	}
	return workflow{}, refusef(http.StatusNotFound, "Workflow not found")
}
