# Autoriser un portail. « $scope » est un nom technique.
oidc-consent-title = Autoriser l’accès
oidc-consent-asks = demande à :
oidc-consent-not-you = Ce n’est pas vous ?
oidc-consent-withdraw = Vous pourrez revenir sur ce choix à tout moment.
oidc-allow = Autoriser
oidc-deny = Refuser
oidc-scope-openid = Vous reconnaître
oidc-scope-openid-detail = Un numéro propre à votre compte, sans votre nom.
oidc-scope-profile = Connaître votre identité
oidc-scope-profile-detail = Votre nom, votre prénom et les informations générales de votre profil.
oidc-scope-email = Connaître votre adresse électronique
oidc-scope-email-detail = Votre adresse, et si elle a été vérifiée.
oidc-scope-phone = Connaître votre numéro de téléphone
oidc-scope-phone-detail = Votre numéro, et s’il a été vérifié.
oidc-scope-address = Connaître votre adresse postale
oidc-scope-address-detail = L’adresse inscrite dans votre profil.
oidc-scope-organization = Savoir pour quelle organisation vous agissez
oidc-scope-organization-detail = Son nom, son type, son numéro SIRET et vos droits sur ce portail.
oidc-scope-offline = Garder cet accès en votre absence
oidc-scope-offline-detail = Même quand vous n’êtes pas devant l’écran, jusqu’à ce que vous le retiriez.
oidc-scope-other = Accéder à : { $scope }

# Erreurs.
oidc-error-title = Une erreur est survenue
oidc-error-start-again = Retournez sur votre portail et recommencez. Si cela se reproduit, indiquez la référence ci-dessous au support.
oidc-error-tell-portal = Vous n’y êtes pour rien : le portail d’où vous venez a envoyé une demande incorrecte. Indiquez la référence ci-dessous à son support.
oidc-error-try-later = Le problème vient de chez nous. Réessayez dans quelques minutes. S’il persiste, indiquez la référence ci-dessous au support.
oidc-error-technical = Pour le support
oidc-error-reference = Référence :
oidc-closed-title = Ce portail est fermé
oidc-closed-lead = L’accès à { $name } est fermé.
oidc-stale-title = Cette page n’est plus valable
oidc-stale-lead = Elle est restée ouverte trop longtemps, ou vous avez terminé dans un autre onglet.
oidc-stale-advice = Retournez sur votre portail et recommencez : cela ne prend qu’un instant.
oidc-stale-advice-unknown = Ouvrez de nouveau le portail d’où vous venez et recommencez : cela ne prend qu’un instant.

# Déconnexion.
oidc-logout-title = Se déconnecter
oidc-logout-question = Voulez-vous vous déconnecter de tous vos portails ?
oidc-logout-asked-by = Vous venez de { $name }. Voulez-vous vous déconnecter de tous vos portails ?
oidc-logout-confirm = Me déconnecter
oidc-logout-stay = Ne pas me déconnecter
oidc-logout-shared-computer = Sur un ordinateur partagé, déconnectez-vous toujours avant de partir.
oidc-logged-out-title = Déconnexion terminée
oidc-logged-out-lead = Votre session est fermée. Vous pouvez quitter cette page.
oidc-signing-out-title = Déconnexion en cours
oidc-signing-out-lead = Nous prévenons vos autres portails. La suite vient toute seule dans deux secondes.
oidc-form-post-title = Retour vers votre portail
oidc-form-post-lead = Appuyez sur « Continuer » pour y retourner.

# Un appareil sans clavier (télévision, borne).
oidc-device-title = Connecter un appareil
oidc-device-lead = Saisissez ici le code que votre appareil affiche.
oidc-device-code = Code affiché
oidc-device-code-hint = Huit caractères, par exemple BCDF-GHJK. Les majuscules et le tiret ne comptent pas.
oidc-device-unknown-code = Ce code n’est pas valable. Vérifiez-le, ou demandez-en un nouveau à votre appareil.
oidc-device-compare = Votre appareil affiche-t-il exactement ce code ?
oidc-device-warning = N’autorisez que l’appareil qui est devant vous. Si quelqu’un vous a envoyé ce code, refusez.
oidc-device-allowed = C’est fait : votre appareil se connecte. Vous pouvez fermer cette page.
oidc-device-denied = L’appareil n’a pas été connecté. Vous pouvez fermer cette page.
