# Se connecter.
login-title = Se connecter
login-to-continue = pour accéder à
login-username = Identifiant ou adresse électronique
login-password = Mot de passe
login-submit = Se connecter
login-cancel = Annuler
login-forgot = Mot de passe oublié ?
login-reassurance = Votre mot de passe est personnel. Personne ne vous le demandera, ni par téléphone ni par message.
login-notice-confirm = Votre session est déjà ouverte. Pour continuer, confirmez que c’est bien vous.
login-notice-session-ended = Votre session s’est terminée. Reconnectez-vous pour reprendre.
# Ne jamais dire laquelle des deux moitiés était fausse.
login-refused = Identifiant ou mot de passe incorrect. Vérifiez-les, puis réessayez.
# $count : des minutes.
login-try-later = { $count ->
    [one] Trop d’essais de suite. Réessayez dans { $count } minute.
   *[other] Trop d’essais de suite. Réessayez dans { $count } minutes.
}
login-stale = Cette page était ouverte depuis trop longtemps. Saisissez à nouveau vos identifiants.
login-no-room = Votre compte est déjà ouvert sur le nombre d’appareils permis. Déconnectez-en un, puis réessayez.
login-no-account = Pas encore de compte ?
login-sign-up = Créer un compte
login-unavailable = La connexion est momentanément impossible. Réessayez dans quelques minutes.

# La page d'accueil du serveur.
login-home-title = Votre compte de formation
login-home-lead = Un seul compte pour vos portails de formation. Gardez-le pour vous : il est personnel.
login-home-sign-in = Se connecter
login-home-portal = Le plus simple est de partir de votre portail : il vous conduira ici au bon moment.
login-home-account = Voir mon compte
login-home-demo = Ce serveur est une démonstration.
login-home-demo-link = Voir les personnes et les portails d’essai
login-not-you = Ce n’est pas vous ?
