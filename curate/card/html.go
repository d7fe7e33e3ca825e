package card

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed page.html
var page string

//go:embed style.css
var style string

// HTML writes the card as one page without any reference to elsewhere.
func (c *Card) HTML(w io.Writer) error {
	t, err := template.New("card").Funcs(template.FuncMap{
		"count": count, "share": share, "number": number, "span": span, "label": label, "options": options, "largest": largest,
		"minus":   func(a, b int) int { return a - b },
		"percent": func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) },
		"style":   func() template.CSS { return template.CSS(style) },
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, c)
}
