// The Go peer: a gorilla hub in the classic shape.
//
// A reader and a writer goroutine for every connection, a channel of 256 slots between the hub
// and the writer (full: the message is dropped), one mutex around the map of users, and two
// backend calls for every message, one after the other inside the reader: store it, fetch the
// members. One JSON document per WebSocket message; with -join what waits is joined by newlines,
// as the chat example everybody starts from does.
//
//	peer -port P -backend URL -key K [-join]
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	slots      = 256
	writeWait  = 10 * time.Second
	pongWait   = 60 * time.Second
	pingPeriod = 54 * time.Second
	maxMessage = 512000
)

type envelope struct {
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

type member struct {
	UserID int    `json:"user_id"`
	Name   string `json:"name"`
}

type connection struct {
	hub   *hub
	ws    *websocket.Conn
	send  chan []byte
	user  int
	name  string
	token string
}

type hub struct {
	mu      sync.RWMutex
	users   map[int]map[*connection]bool
	client  *http.Client
	backend string
	key     string
	join    bool
}

func (h *hub) add(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users[c.user] == nil {
		h.users[c.user] = make(map[*connection]bool)
	}
	h.users[c.user][c] = true
}

func (h *hub) remove(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.users[c.user], c)
	if len(h.users[c.user]) == 0 {
		delete(h.users, c.user)
	}
	close(c.send)
}

func (h *hub) broadcast(members []member, except int, message []byte) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, m := range members {
		if m.UserID == except {
			continue
		}
		for c := range h.users[m.UserID] {
			select {
			case c.send <- message:
			default:
			}
		}
	}
}

// call asks the backend; token is empty for the internal endpoints.
func (h *hub) call(method, path, token string, body, answer any) error {
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, h.backend+path, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	} else {
		request.Header.Set("X-Internal-API-Key", h.key)
	}
	response, err := h.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("backend error: status %d", response.StatusCode)
	}
	return json.Unmarshal(content, answer)
}

func (h *hub) members(chat int) ([]member, error) {
	var answer struct {
		Members []member `json:"members"`
	}
	err := h.call("GET", fmt.Sprintf("/api/internal/v1/chats/%d/members", chat), "", nil, &answer)
	return answer.Members, err
}

func event(name string, data any) []byte {
	encoded, err := json.Marshal(data)
	if err != nil {
		return nil
	}
	message, err := json.Marshal(envelope{name, encoded})
	if err != nil {
		return nil
	}
	return message
}

func (c *connection) reply(message []byte) {
	select {
	case c.send <- message:
	default:
	}
}

func (c *connection) fail(text string) {
	c.reply(event("error", map[string]string{"message": text}))
}

func (c *connection) auth(data json.RawMessage) error {
	var asked struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(data, &asked); err != nil || asked.Token == "" {
		return errors.New("Invalid auth data")
	}
	var answer struct {
		User struct {
			ID    int    `json:"id"`
			Name  string `json:"name"`
			Phone string `json:"phone"`
		} `json:"user"`
	}
	if err := c.hub.call("POST", "/api/internal/v1/auth/validate", "", asked, &answer); err != nil {
		return err
	}
	c.user, c.name, c.token = answer.User.ID, answer.User.Name, asked.Token
	c.hub.add(c)
	c.reply(event("auth_success", map[string]any{
		"user_id": c.user, "name": c.name, "phone": answer.User.Phone,
	}))
	return nil
}

func (c *connection) sendMessage(data json.RawMessage) error {
	var asked struct {
		ChatID int    `json:"chat_id"`
		Text   string `json:"text"`
	}
	if err := json.Unmarshal(data, &asked); err != nil || asked.ChatID <= 0 {
		return errors.New("Invalid message data")
	}
	body := map[string]any{"chatId": asked.ChatID, "text": asked.Text}
	var stored json.RawMessage
	if err := c.hub.call("POST", "/api/v1/messages", c.token, body, &stored); err != nil {
		return fmt.Errorf("Failed to send message: %w", err)
	}
	members, err := c.hub.members(asked.ChatID)
	if err != nil {
		return err
	}
	c.hub.broadcast(members, 0, event("new_message", stored))
	return nil
}

func (c *connection) typing(data json.RawMessage) error {
	var asked struct {
		ChatID   int  `json:"chat_id"`
		IsTyping bool `json:"is_typing"`
	}
	if err := json.Unmarshal(data, &asked); err != nil {
		return errors.New("Invalid typing data")
	}
	members, err := c.hub.members(asked.ChatID)
	if err != nil {
		return err
	}
	c.hub.broadcast(members, c.user, event("user_typing", map[string]any{
		"chat_id": asked.ChatID, "user_id": c.user, "name": c.name, "is_typing": asked.IsTyping,
	}))
	return nil
}

func (c *connection) handle(message []byte) error {
	var said envelope
	if err := json.Unmarshal(message, &said); err != nil {
		return errors.New("Invalid message format")
	}
	if said.Event == "auth" {
		return c.auth(said.Data)
	}
	if c.user == 0 {
		return errors.New("Authentication required")
	}
	switch said.Event {
	case "send_message":
		return c.sendMessage(said.Data)
	case "typing":
		return c.typing(said.Data)
	}
	return errors.New("Unknown event type")
}

func (c *connection) readLoop() {
	defer func() {
		c.hub.remove(c)
		c.ws.Close()
	}()
	c.ws.SetReadLimit(maxMessage)
	c.ws.SetReadDeadline(time.Now().Add(pongWait))
	c.ws.SetPongHandler(func(string) error {
		return c.ws.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		_, message, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		if err := c.handle(message); err != nil {
			c.fail(err.Error())
		}
	}
}

func (c *connection) write(message []byte) error {
	if !c.hub.join {
		return c.ws.WriteMessage(websocket.TextMessage, message)
	}
	writer, err := c.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	writer.Write(message)
	for n := len(c.send); n > 0; n-- {
		writer.Write([]byte{'\n'})
		writer.Write(<-c.send)
	}
	return writer.Close()
}

func (c *connection) writeLoop() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		c.ws.Close()
	}()
	for {
		select {
		case message, open := <-c.send:
			c.ws.SetWriteDeadline(time.Now().Add(writeWait))
			if !open {
				c.ws.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if c.write(message) != nil {
				return
			}
		case <-ticker.C:
			c.ws.SetWriteDeadline(time.Now().Add(writeWait))
			if c.ws.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func main() {
	port := flag.Int("port", 8080, "port to listen on")
	backend := flag.String("backend", "http://127.0.0.1:8000", "the REST backend")
	key := flag.String("key", "", "the internal API key")
	join := flag.Bool("join", false, "join what waits by newlines")
	flag.Parse()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256 // the default of 2 would dial for nearly every message
	transport.MaxIdleConns = 256
	h := &hub{
		users:   make(map[int]map[*connection]bool),
		client:  &http.Client{Timeout: 10 * time.Second, Transport: transport},
		backend: *backend, key: *key, join: *join,
	}
	upgrader := websocket.Upgrader{
		ReadBufferSize: 1024, WriteBufferSize: 1024,
		CheckOrigin: func(*http.Request) bool { return true },
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"status":"ok","service":"go-peer"}`)
	})
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &connection{hub: h, ws: ws, send: make(chan []byte, slots)}
		go c.writeLoop()
		go c.readLoop()
	})
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), nil))
}
