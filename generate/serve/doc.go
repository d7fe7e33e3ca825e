// Package serve answers the OpenAI HTTP API over the engine that generates rollouts, so that existing
// clients and evaluation harnesses can drive a model: /v1/chat/completions, /v1/completions, /v1/models,
// /health.
//
// One goroutine, the loop, owns the engines (loop.go). It takes calls, a prompt each, from a bounded
// queue while there is room in the batch, steps the engines and puts every token into the mailbox of the
// HTTP request it belongs to (mailbox.go); a handler reads its mailbox, turns tokens into text, looks
// for stop strings (choice.go, stop.go) and answers, at once or as server-sent events (answer.go). A
// handler never makes the engine wait, and a client that goes away ends its sequences at their next
// token.
//
// Start with server.go for the routes and limits; request.go has what both endpoints read, chat.go and
// completions.go what is their own, echo.go the scoring of given texts.
//
// A completion is a function of the weights, the prompt, the request's seed and the number of the
// choice, whatever else is being served.
package serve
