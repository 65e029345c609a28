// GraphiQL for the endpoint under whose address the page was opened. The token stays in this tab
// (sessionStorage) and is sent to this server alone.
'use strict';
(() => {
  const STORED_AS = 'relata:token';
  const endpoint = location.pathname;
  const form = document.getElementById('authentication');
  const input = document.getElementById('token');
  const state = document.getElementById('state');
  const main = document.getElementById('graphiql');

  for (const link of document.querySelectorAll('nav a')) {
    if (link.pathname === endpoint) link.setAttribute('aria-current', 'page');
  }

  const token = () => sessionStorage.getItem(STORED_AS) || '';

  async function fetcher(parameters, options) {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
      ...((options && options.headers) || {}),
    };
    if (token()) headers.authorization = `Bearer ${token()}`;
    const response = await fetch(endpoint, {
      method: 'POST',
      headers,
      body: JSON.stringify(parameters),
    });
    state.textContent = response.status === 401 ? 'Token needed' : '';
    return response.json();
  }

  const root = ReactDOM.createRoot(main);
  let generation = 0;

  // A new key makes a new component: it reads the schema again, as the new caller.
  function show() {
    root.render(React.createElement(GraphiQL, {
      key: generation,
      fetcher,
      defaultEditorToolsVisibility: true,
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      // Each endpoint remembers its own queries.
      storage: {
        getItem: (name) => localStorage.getItem(endpoint + name),
        setItem: (name, value) => localStorage.setItem(endpoint + name, value),
        removeItem: (name) => localStorage.removeItem(endpoint + name),
        clear: () => localStorage.clear(),
        get length() { return localStorage.length; },
      },
    }));
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.value.trim()) sessionStorage.setItem(STORED_AS, input.value.trim());
    else sessionStorage.removeItem(STORED_AS);
    generation += 1;
    show();
  });

  input.value = token();
  show();
})();
