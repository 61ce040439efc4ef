package notify

import (
	"net/url"
	"strings"
)

// isTeamsWorkflow tells by its host whether a webhook is that of a workflow (Power Automate), by which Teams takes messages since it
// retired its connectors.
func isTeamsWorkflow(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".logic.azure.com") || strings.HasSuffix(host, ".api.powerplatform.com")
}

// teamsMessage is the text as an Adaptive Card in the form that Microsoft documents for webhooks:
// https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using. In a RichTextBlock nothing is
// markdown: what a TextBlock makes of the underscores and backslashes of file names, escaped or not, differs from one Teams to the next.
func teamsMessage(text string) any {
	type object map[string]any
	return object{
		"type": "message",
		"attachments": []object{{
			"contentType": "application/vnd.microsoft.card.adaptive",
			"contentUrl":  nil,
			"content": object{
				"$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
				"type":    "AdaptiveCard",
				"version": "1.2", // the first with a RichTextBlock
				"body": []object{{
					"type":    "RichTextBlock",
					"inlines": []object{{"type": "TextRun", "text": text}},
				}},
			},
		}},
	}
}
